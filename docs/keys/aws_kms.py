#!/usr/bin/env python3
"""Wraps and unwraps the data key of a key file by a key in AWS KMS: --wrapping_key command:docs/keys/aws_kms.py.

KMS_KEY_ID names the key. Region and credentials are found as every AWS program finds them. Who runs jobs needs
kms:Decrypt alone; who makes or wraps key files needs kms:Encrypt as well.
"""

import base64
import os
import sys

import botocore.session

CONTEXT = {"purpose": "suggestion-telemetry"}

given = base64.b64decode(sys.stdin.read())
kms = botocore.session.get_session().create_client("kms")
if sys.argv[1] == "wrap":
    answer = kms.encrypt(KeyId=os.environ["KMS_KEY_ID"], Plaintext=given, EncryptionContext=CONTEXT)["CiphertextBlob"]
else:
    answer = kms.decrypt(CiphertextBlob=given, EncryptionContext=CONTEXT)["Plaintext"]
print(base64.b64encode(answer).decode())
