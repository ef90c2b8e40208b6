"""`POST /verify` with {"user", "code"}: is this a fresh code of the user's token?

django-otp's rule against races is that a device is verified in a transaction that has locked its row. `django_otp.match_token` and
`verify_token` do that, with one or two more queries; here the user's device is found and locked by one, which is the quickest way that
keeps the rule.
"""

import json
import os

from django.contrib.auth import get_user_model
from django.db import transaction
from django.http import HttpResponse
from django.urls import path
from django.views.decorators.http import require_POST
from django_otp import match_token
from django_otp.plugins.otp_totp.models import TOTPDevice


def by_lock(username, code):
    with transaction.atomic():
        device = TOTPDevice.objects.select_for_update(of=("self",)).get(user__username=username, confirmed=True)
        return device.verify_token(code)


def by_match(username, code):
    user = get_user_model().objects.get(username=username)
    return match_token(user, code) is not None


accepts = by_match if os.environ.get("PEERS_MATCH") else by_lock


@require_POST
def verify(request):
    asked = json.loads(request.body)
    answer = json.dumps({"accepted": accepts(asked["user"], asked["code"])})
    # Without its length the answer would be sent in chunks.
    return HttpResponse(answer, content_type="application/json", headers={"Content-Length": str(len(answer))})


urlpatterns = [path("verify", verify)]
