"""What the real SDK makes of an answer: prints one line of JSON. Arguments: endpoint, app, key, user, business."""
import json
import sys

from bkapi_client_core.exceptions import APIGatewayResponseError
from bkapi_component.open.client import Client

endpoint, app, key, user, business = sys.argv[1:]
client = Client(endpoint=endpoint, bk_api_ver="v2", language="zh-hans")
client.update_bkapi_authorization(bk_app_code=app, bk_app_secret=key, bk_username=user)
client.set_timeout(20)
try:
    answer = client.jobv3.fast_execute_script(
        {
            "bk_scope_type": "biz",
            "bk_scope_id": business,
            "script_content": "ZWNobyAxCg==",
            "script_language": 1,
            "account_alias": "root",
            "task_name": "任务",
            "target_server": {"ip_list": [{"bk_cloud_id": 0, "ip": "10.0.0.1"}]},
        }
    )
    print(json.dumps({"answer": answer}))
except APIGatewayResponseError as error:
    print(json.dumps({"error": error.error_code, "request_id": error.request_id, "status": error.response_status_code}))
