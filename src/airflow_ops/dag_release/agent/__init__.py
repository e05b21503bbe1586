"""What a DAG release does on one host.

The controller sends these files to the host's own Python (3.9 or later, standard library only) through ssh; it imports
the same files for the digest, so that both sides compute it with the same code.
"""
