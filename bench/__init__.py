"""What a delivery costs, beside the ways in which people deliver today: ``make bench-dags``."""
