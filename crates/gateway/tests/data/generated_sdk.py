"""The request of the generated `blueking.component` SDK, byte for byte: JSON without a Content-Type, identity in the body."""
import json
import sys

import requests

endpoint, app, key, token, business = sys.argv[1:]
body = {
    "bk_app_code": app,
    "bk_token": token,
    "bk_app_secret": key,
    "bk_biz_id": int(business),
    "script_content": "ZWNobyAxCg==",
    "script_language": 1,
    "account_alias": "root",
    "target_server": {"ip_list": [{"bk_cloud_id": 0, "ip": "10.0.0.1"}]},
}
url = endpoint + "/api/c/compapi/v2/jobv3/fast_execute_script/"
answer = requests.request("POST", url, data=json.dumps(body), headers={"blueking-language": "en"}, timeout=20)
if answer.status_code != 200:
    # The SDK returns the JSON of an error, whatever its status.
    print(json.dumps({"answer": answer.json(), "status": answer.status_code}))
else:
    print(json.dumps({"answer": answer.json(), "status": 200}))
