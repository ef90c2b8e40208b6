"""Prints one mail, given as a file, as JSON: sender, addressee, subject, Message-ID and its text part."""

import email
import email.policy
import json
import sys

with open(sys.argv[1], "rb") as file:
    mail = email.message_from_binary_file(file, policy=email.policy.default)
text = mail.get_body(preferencelist=("plain",))
json.dump(
    {
        "from": str(mail["From"]),
        "to": str(mail["To"]),
        "subject": str(mail["Subject"]),
        "message_id": str(mail["Message-ID"]),
        "text": text.get_content() if text else "",
    },
    sys.stdout,
)
