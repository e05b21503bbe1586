"""The web UI in a real browser: log in with the vault's password and find the distributed DAGs."""

from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

from lab.airflow_cluster import Cluster
from lab.settings import REPOSITORY

ARTIFACTS = REPOSITORY / "artifacts"


def test_an_admin_logs_in_and_sees_the_distributed_dags(cluster: Cluster, browser: webdriver.Chrome) -> None:
    address = cluster.ssh("mn02p", "hostname -I").stdout.split()[0]
    browser.get(f"http://{address}:8080/login/")
    browser.find_element(By.ID, "username").send_keys("admin")
    browser.find_element(By.ID, "password").send_keys(cluster.secrets()["airflow_ui_passwords"]["admin"])
    browser.find_element(By.CSS_SELECTOR, "input[type=submit]").click()
    WebDriverWait(browser, 30).until(lambda page: "/home" in page.current_url)
    browser.get(f"http://{address}:8080/home?status=all&page_size=100")
    ARTIFACTS.mkdir(exist_ok=True)
    browser.save_screenshot(str(ARTIFACTS / "web_ui.png"))
    for dag in ("MAIN_DAG", "airflow_ops_check"):
        assert browser.find_elements(By.CSS_SELECTOR, f"a[href*='/dags/{dag}/']"), browser.title
