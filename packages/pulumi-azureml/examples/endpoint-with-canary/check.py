"""Score twenty requests by the new deployment, and fail when an answer is not a plausible delay."""

import os

import requests

headers = {
    "Authorization": f"Bearer {os.environ['ENDPOINT_KEY']}",
    "azureml-model-deployment": os.environ["DEPLOYMENT_NAME"],
}
for distance in range(100, 2100, 100):
    answer = requests.post(os.environ["SCORING_URI"], json={"distance": distance}, headers=headers, timeout=30)
    answer.raise_for_status()
    minutes = answer.json()["minutes"]
    if not 0 <= minutes <= 600:
        raise SystemExit(f"{minutes} minutes of delay for {distance} miles, at {os.environ['TRAFFIC_PERCENT']} %")
