# Warifu: the texts of pages and mails (English). The same ids and arguments stand in ja.ftl.

## The shell of every page
skip-to-main = Skip to the main text
language-switch = Language
person-name = { $name }
sign-out = Sign out
help-desk = Help desk
menu = Menu
crumbs = You are here
title-problem = Error:{" "}
problems-title = Please check what you entered
back-to-top = Back to the top page
back-to-users = Back to user administration
back-to-sign-in = Back to sign-in
error-code = Error code
support-id = Support number
moment = { $weekday ->
    [1] Monday
    [2] Tuesday
    [3] Wednesday
    [4] Thursday
    [5] Friday
    [6] Saturday
   *[7] Sunday
  } { $day } { $month ->
    [1] January
    [2] February
    [3] March
    [4] April
    [5] May
    [6] June
    [7] July
    [8] August
    [9] September
    [10] October
    [11] November
   *[12] December
  }, { $time } ({ $zone_key ->
    [asia-tokyo] Japan time
   *[other] { $zone }
  })
since = since { $at }
times = { $n ->
    [one] { $n } time
   *[other] { $n } times
  }

## Words
login-id = Login ID
password = Password
name = Name
company = Company
role-label = Role
role = { $role ->
    [master] Master user
    [administrator] Administrator
   *[general] General user
  }
service-id = Service ID
token-user-id = User ID
one-time-password = One-time password
confirmation-password = Confirmation password
confirmation-password-hint = We ask for it before an important step, to be sure that it is you.
token-state-label = Token
token-state = { $state ->
    [issued] Issued, app not set up yet
    [activated] App set up, first code not entered yet
    [in-use] In use
    [suspended] Suspended
    [revoked] Revoked
   *[none] Not issued
  }

## Sign-in
sign-in-title = Sign in
sign-in-about = Enter the login ID and the password that your company registered.
sign-in-button = Sign in
sign-in-signed-out = You have signed out.
sign-in-trouble-title = If you cannot sign in
sign-in-trouble = Forgot your password? Ask the master user or an administrator of your company. If that does not help, call the help desk below.

## Issuance
issuance-title = Issue a one-time password token
issuance-about = This issues a token for the app on your phone. It takes about two minutes.
issuance-mail-legend = Where to send the instructions
issuance-allow-domain = If you use a spam filter, first allow mail from “{ $domain }”.
mail-address = Mail address
mail-address-again = Mail address (again)
mail-address-hint = Use an address that you can read on the device where you will install the app.
issuance-password-legend = The password for setting up the app
issuance-write-down = Write your activation password down now. You will type it once in the app. No page and no mail can show it to you later.
activation-password = Activation password
activation-password-again = Activation password (again)
activation-password-hint = { $min } to { $max } digits of your own choice. It is never sent from this device.
issuance-preparing = Getting ready. If “Issue token” stays grey, please load this page again.
issuance-button = Issue token
issuance-out-of-memory = This device has too little memory for the encryption. Close other tabs and apps and try again, or issue the token on another device.
issuance-step-prepare = Encrypting your activation password on this device…
issuance-step-start = Sending your request…
issuance-step-protect = Completing the request on this device…
issuance-step-finish = Confirming the token…

## Clock
clock-title = The clock of this device
clock-why = A one-time password is made from the current time. If a clock is wrong, the code is refused.
clock-server-time = Our clock says { $time }. Please compare it with the clock of your device.
clock-checking = Checking the clock…
clock-right = The clock of this device is right.
clock-fast = The clock of this device is about %amount% fast.
clock-slow = The clock of this device is about %amount% slow.
clock-mend = In the settings of the device, turn on automatic date and time. Then load this page again. Please check the device with the app in the same way.
clock-unknown = We could not check the clock. Check your connection and load this page again.

## After the issuance
waiting-title = Finish the set-up in the app
waiting-activated-title = The app is set up
waiting-expired-title = The token has expired
waiting-locked-title = This token can no longer be used
waiting-about = Your token is issued. Please set up the app in these steps.
waiting-step-mail = Open the mail
waiting-step-mail-about = It contains the service ID and the user ID.
waiting-step-app = Get the app
waiting-step-app-about = If you do not have it yet, get it from the download page. If you have it, choose “Add token” in the app.
waiting-step-send = Fill in the app and press “Send”
waiting-step-send-about = Enter the service ID, the user ID and the activation password that you chose.
waiting-scan-code = QR code with both IDs
waiting-scan-about = Scan this code with the phone’s camera, or with “Scan the QR code” in the app, and the service ID and the user ID are filled in.
waiting-open-web-app = Open the web app on this device (both IDs filled in)
waiting-step-code = Press “Next” and come back to this page
waiting-step-code-about = This page changes by itself when the app is set up.
waiting-state-title = State of your token
waiting-user-id-in-mail = In the mail
waiting-mail-to = Mail sent to
waiting-mail-state = Mail
mail-queued = Waiting to be sent
mail-sent = Sent
mail-failed = Could not be sent
waiting-mail-failed = The mail could not be sent. Please check the address. If it is right, press “Send the mail again”. If it is wrong, press “Start over”.
waiting-expires = Set up the app by
waiting-starts-left = Tries left in the app
waiting-day-used-up = Today’s tries in the app are used up. Please try again tomorrow, or call the help desk.
waiting-send-again-about = If nothing arrives in a few minutes, look in the spam folder, then send it again.
waiting-send-again = Send the mail again
waiting-sent-again = The mail will be sent again.
waiting-done-title = When the app shows a code
waiting-done-about = If this page has not changed, continue here:
waiting-to-verification = Verify a one-time password
waiting-activated = Now enter the one-time password that the app shows.
waiting-start-over-title = If you made a mistake
waiting-start-over-about = Wrong mail address, or activation password forgotten? You can issue a token again. The present one is cancelled.
waiting-start-over = Start over

## Download
download-title = Download the app
download-about = The app shows your one-time password. Choose one and install it on your device.
download-your-device = For your device
download-apple = iPhone, iPad
download-apple-about = Install it from the App Store.
download-apple-open = Open the App Store
download-google = Android
download-google-about = Install it from Google Play.
download-google-open = Open Google Play
download-web = Web app
download-web-about = Open it in the browser and add it to the home screen. It works on phones and on PCs.
download-web-open = Install this web app
download-not-offered = This service does not offer it. Please choose another way.
download-terminal = Terminal of a PC
download-terminal-about = There is also a command. It reads the activation password from standard input.
download-next-title = When the app is installed
download-next-open = Open the app and enter the service ID and the user ID from the mail.
download-next-enter = Enter the activation password that you chose, and press “Send”.
download-next-code = On the completion page, press “Next”. The app shows your one-time password.
download-have-app = If you already have the app, there is nothing to install. Choose “Add token” in the app. One device holds up to 10 tokens.

## Verification
verification-title = Verify your one-time password
verification-about = Enter the one-time password that the app shows.
verification-about-first = This is your first time. Enter the one-time password that the app shows, and the set-up is complete.
one-time-password-hint = { $digits } digits.
verification-button = Verify
verification-trouble-title = If it does not work
verification-trouble-wait = A code works once. Wait until the app shows a new one, and enter that.
verification-trouble-lost = Phone lost or changed? Ask the master user or an administrator of your company for a token revocation, then issue a new token.

## Where the way ends
suspended-title = Your one-time password is suspended
revoked-title = Your token is revoked
refused-next-title = What to do next
suspended-next-ask = Ask one of the people named above to release it.
suspended-next-where = They find it under “Administration”, “User administration”, “Release suspended one-time passwords”.
suspended-next-sign-in = When it is released, sign in again.
suspended-next-revocation = Ask the master user or an administrator of your company to revoke the token. If nobody there can, call the help desk.
suspended-next-issue = You get a mail that says from when you can sign in again. Then you issue a new token.
suspended-next-help-desk = Nobody in your company can release it. Please call the help desk:
revoked-next = When the time has come, sign in again. You will be led to the issuance of a new token.

## Top page
top-title = Top page
top-welcome = Welcome, { $name }. You are signed in.
top-you = About you
last-sign-in = Last sign-in
top-advice-title = Please register an administrator
top-advice = At present nobody in your company could release you if your one-time password were suspended. The help desk will tell you how to register one.

## Administration
manage = Administration
manage-choice-about = Release suspensions and revoke tokens.
manage-about = Choose what to administer.
manage-users = User administration
manage-users-choice-about = The one-time passwords of the users in your company.
manage-users-about = Choose a task.
release-title = Release suspended one-time passwords
release-choice-about = Let users continue who were suspended after wrong codes.
revoke-title = Revoke tokens
revoke-choice-about = End the token of a phone that was lost or replaced.
release-about = Choose the users to release, and enter your confirmation password.
revoke-about = Choose the users whose token to revoke, and enter your confirmation password.
release-caption = Suspended users
revoke-caption = Users with a token
release-empty = No user is suspended.
revoke-empty = There is no token to revoke.
revoke-warning = A revocation cannot be undone. The users can no longer sign in, at once. To continue, each of them needs a new token and has to set up the app again.
choose = Choose
choose-user = Choose { $name } ({ $login })
select-all = Choose all
nobody-to-choose = There is no user in this list whom you may act on. Each line says why.
release-button = Release
revoke-button = Revoke
release-result-title = Result of the release
revoke-result-title = Result of the revocation
release-result = { $done ->
    [one] { $done } user released.
   *[other] { $done } users released.
  }{ $refused ->
    [0] {""}
   *[other] {" "}{ $refused } refused; please see the reason.
  }
revoke-result = { $done ->
    [one] { $done } token revoked.
   *[other] { $done } tokens revoked.
  }{ $refused ->
    [0] {""}
   *[other] {" "}{ $refused } refused; please see the reason.
  }
result-caption = Result for each user
result = Result
released = Released
revoked = Revoked
refused = Refused
release-result-next = Please tell them to sign in again.
revoke-result-next = They can sign in and issue a new token from { $opens }.
revoke-result-next-now = They can sign in and issue a new token now.

## Demo
demo-label = Demo
demo-about = Nothing here is real. No mail leaves this machine.
demo-mails = Mails
demo-accounts = Accounts
demo-accounts-about = These users exist for the demo. Sign in as any of them.
demo-accounts-caption = Users and passwords
demo-to-sign-in = To the sign-in page
demo-mails-about = In the demo, mails stay here instead of being sent.
demo-mails-empty = No mail yet. Issue a token, and one arrives here.
demo-mails-caption = Mails, newest first
mail-subject = Subject
mail-to = To
mail-from = From
mail-at = When: { $at }
mail-body = Text
mail-when = When

## Refusals and faults
not-found-title = Page not found
error-title = This could not be completed
error-sign-in-refused = The login ID or the password is wrong. Please check both and try again. If you forgot them, ask the master user or an administrator of your company.
error-sign-in-slowed = There were too many wrong tries. Please wait { $seconds ->
    [one] { $seconds } second
   *[other] { $seconds } seconds
  }, then try again. If you need help, call the help desk.
error-user-suspended = Your one-time password is suspended after too many wrong codes. { $who ->
    [master_or_administrator] The master user or another administrator can release it.
    [administrator] An administrator can release it.
    [nobody] It can no longer be released: the token must be revoked, and a new one issued.
   *[help_desk] Please call the help desk.
  }
error-reissue-not-yet = Your token was revoked, so you cannot sign in or issue a token yet. Please sign in again from { $opens }. If it is urgent, call the help desk.
error-mail-mismatch = The two mail addresses differ. Please enter the same one twice.
error-mail-invalid = This is not a valid mail address. Please enter one like name@example.com.
error-activation-password-mismatch = The two activation passwords differ. Please enter the same one twice.
error-activation-password-length = The activation password needs { $min } to { $max } digits.
error-activation-password-not-digits = Please use only digits in the activation password.
error-activation-password-trivial = This activation password is easy to guess. Please avoid repeated digits, digits in a row, and dates.
error-code-format = A one-time password has { $digits } digits. Please look at the app and enter it again.
error-code-wrong = The one-time password is wrong. Please enter the one that the app shows now. { $tries_left ->
    [one] After { $tries_left } more wrong code it is suspended.
   *[other] After { $tries_left } more wrong codes it is suspended.
  }
error-code-already-used = This one-time password was already used. Wait until the app shows a new one, and enter that.
error-code-suspended-now = There were too many wrong codes, so your one-time password is now suspended. { $who ->
    [master_or_administrator] The master user or another administrator can release it.
    [administrator] An administrator can release it.
    [nobody] It can no longer be released: the token must be revoked, and a new one issued.
   *[help_desk] Please call the help desk.
  }
error-confirmation-password-wrong = The confirmation password is wrong. It is not the password you sign in with. Please try again. If you forgot it, call the help desk.
error-nobody-selected = No user is chosen. Please choose at least one.
error-not-permitted = You may not do this. Please ask the master user or an administrator.
error-not-suspended = This user is not suspended. Someone may have released them already. Please open the list again.
error-token-expired = Your token has expired, so its one-time password was not checked and not counted. Sign in again with your password: a new token can be issued at once.
error-no-token = This user has no token to revoke. Please open the list again.
error-self-release = You cannot release yourself. Please ask the master user or another administrator.
error-release-only-revocation = There were { $run } wrong codes in a row, so this cannot be released. Revoke the token, and let the user issue a new one.
error-token-already-in-use = You already use a token. To issue a new one, first ask the master user or an administrator to revoke it.
error-issuance-expired = The time for setting up the app is over. Please issue a token again.
error-issuance-locked = There were too many wrong tries, so this token can no longer be used. Please issue a token again.
error-issuance-cancelled = This token was cancelled. Use the user ID from the newest mail, or issue a token again.
error-already-activated = This token is already set up on another device. If that was not you, ask the master user, an administrator or the help desk for a revocation at once.
error-activation-attempt-over = This set-up was started too long ago. Please start again in the app.
error-activation-refused = The service ID, the user ID or the activation password is wrong. Check the mail and your note, and try again. If it keeps failing, issue a token again.
error-no-issuance = No token is waiting for the app. Please sign in and issue a token.
error-activation-message = The message from the app could not be read. Please update the app and try again. If it goes on, call the help desk.
error-activation-gone = This token was revoked because its first code was not entered in time. Please sign in and issue a token again.
error-device-message = The message from the app could not be read. Please update the app and try again. If it goes on, call the help desk.
error-device-refused = This token could not be confirmed. If it goes on after you open the app again, sign in with your password and issue a token again.
error-renewal-not-open = This token cannot be renewed now. The app shows from when it can. If it is suspended or revoked, please ask the master user or an administrator.
error-app-full = This app holds up to 10 tokens. Remove one that you no longer use, then add this one again.
error-two-operators-needed = A second operator has to approve this. Please ask a colleague.
error-busy = There are too many requests at this moment. Nothing was checked or counted. Please try again in a few seconds.
error-clock-unsure = The clock of the service cannot be trusted at this moment, so no code was checked and none was counted. Please try again later; the help desk can say when.
error-raced = Someone changed the same user at the same moment. Please open the page again and retry.
error-too-many-requests = There were too many tries in a short time. Please wait { $seconds ->
    [one] { $seconds } second
   *[other] { $seconds } seconds
  }, then try again. If you need help, call the help desk.
error-session-expired = You were signed out, because nothing happened for a while, or because your one-time password was suspended or revoked. Please sign in again.
error-form-expired = The page was open for too long, so nothing was done. Please open it again and repeat your entry.
error-internal = We are sorry. A fault in our system stopped this. Please try again in a while. If it happens again, call the help desk with the support number { $support }.
error-not-found = The page has moved, or the address is wrong. Please start from the top page. If you do not find it, call the help desk.
error-service-unavailable = The server cannot be reached or is busy. Check your connection, wait a little, and try again. If it goes on, call the help desk.
error-scripts-needed = This page needs JavaScript, so that your activation password never leaves the device. Turn it on in your browser and load the page again, or use another browser.
error-user-disabled = This user is disabled, so no token can be issued.
error-api-key-refused = The API key is missing, unknown or over. Send the header Authorization: Bearer KEY with a key that is good. Who runs the service can make a new one with warifu api-client rotate.
error-scope-missing = This API client may not do that. Who runs the service can make a client with the scope that is needed.
error-network-not-allowed = This API client may not call from this network address. Who runs the service keeps the list of its addresses.
error-idempotency-key-format = The header Idempotency-Key needs 1 to 255 visible ASCII characters, once. Please choose another key.
error-idempotency-key-reused = This idempotency key was used for another request. Nothing was done. Please send this request with a new key.
error-method-not-allowed = This address does not take that method. The header Allow says which it takes.
error-media-type = The body must be JSON, with the header Content-Type: application/json.
error-body-too-large = The body is larger than this server takes. Please send less at once.
error-request-body = The body is no JSON: the fault is in line { $line }, column { $column }.
error-request-fields = The body is JSON, but not of the fields that are asked for: look at line { $line }, column { $column }, and at the documents under /api/v1/docs.
error-request-query = The part of the address behind the question mark cannot be read. The documents under /api/v1/docs say what may stand there.
api-error-not-found = There is no such address, service, contract or user for this client.
api-error-no-token = The user has no token that lives. A new one can be issued.
api-error-not-suspended = The token of this user is not suspended. Someone may have released it already.
api-error-release-only-revocation = There were too many wrong codes since the last right one. Revoke the token, and let the user issue a new one.
api-error-raced = Someone changed the same user at the same moment. Nothing was done. Please send the request again.
api-error-form-expired = This issuance is not the one that was begun last, or was not begun at all. Nothing was done. Please begin again.
api-error-no-issuance = No token of this user is waiting for the app.
api-error-code-format = The code needs exactly { $digits } ASCII digits. It was not judged and not counted.

## Mails
mail-greeting = Dear { $name },
mail-unexpected = If you did not expect this mail, please call the help desk at once.
mail-no-reply = You cannot reply to this mail.
mail-token-subject = Your token is issued - { $service }
mail-token-lead =
    A one-time password token for { $service } is issued.
    Please enter these two in the app.
mail-token-download = Download the app:
mail-token-steps =
    1. Open the app and enter the two IDs above. If you already have the app, choose “Add token”.
    2. Enter the activation password that you chose, and press “Send”.
    3. On the completion page, press “Next”. The app shows your one-time password.
mail-token-expires = Set up the app by: { $at }
mail-token-safety = We never ask for a password by mail or by telephone.
mail-activated-subject = The app is set up
mail-activated = Your app for one-time passwords is set up.
mail-activated-next = From the next sign-in on, please use the one-time password that the app shows.
mail-suspended-subject = Your one-time password is suspended
mail-suspended = Your one-time password is suspended after too many wrong codes.
mail-suspended-next = { $who ->
    [master_or_administrator] Please ask the master user or another administrator to release it.
    [administrator] Please ask an administrator to release it.
    [nobody] It cannot be released any more. Please ask the master user, an administrator or the help desk to revoke the token, and issue a new one.
   *[help_desk] To have it released, please call the help desk.
  }
mail-released-subject = Your one-time password is released
mail-released = Your one-time password can be used again.
mail-released-next = Please sign in again with the one-time password that the app shows.
mail-revoked-subject = Your token is revoked
mail-revoked = Your token is revoked. The codes that the app still shows no longer work.
mail-revoked-next = You can sign in and issue a new token from { $opens }.
mail-revoked-next-now = You can sign in and issue a new token now.
mail-renewed-subject = Your token was renewed
mail-renewed = Your app renewed the token. It is now good until { $ends }.
mail-renewed-endless = Your app renewed the token. It no longer has an end.
mail-renewed-next = Your one-time passwords go on as before. If you no longer have the device with the app, please ask the master user or an administrator of your company to revoke the token.
mail-second-device-subject = Another device was refused
mail-second-device = Another device tried to set up a token that is already set up. It was refused. Your token still works.
mail-second-device-next = If that was not you, please ask the master user or an administrator of your company to revoke the token.
mail-address-changed-subject = Your mail address was changed
mail-address-changed = The mail address that your token mails go to was changed while a token was issued.
mail-address-changed-next = If that was not you, please ask the master user or an administrator of your company to revoke the token.
mail-colleague-suspended-subject = A user is suspended
mail-colleague-suspended = The one-time password of { $user } is suspended after too many wrong codes.
mail-colleague-suspended-next = Please ask the user what happened, then release the suspension under “Administration”, “User administration”.
mail-colleague-suspended-next-revoke = There were too many wrong codes for a release. Please ask the user what happened, then revoke the token under “Administration”, “User administration”, so that a new one can be issued.
mail-colleague-revoked-subject = A token is revoked
mail-colleague-revoked = The token of { $user } is revoked.
mail-colleague-revoked-next = The user cannot sign in until a new token is issued.

## The app in a terminal (warifu authenticator)
app-starting = Contacting the server…
app-checking = Checking the activation password…
app-finishing = Finishing the set-up…
app-added = The token “{ $name }” is set up.
app-dropped = The set-up of the token “{ $name }” could not be finished and was dropped. { $reason }
app-countdown = One-time password of “{ $name }” (q to leave)
app-list-empty = There is no token on this device. Add one with “warifu authenticator add”.
app-state = { $state ->
    [active] ready
    [pending] waiting to be finished
   *[started] begun
  }
app-home-missing = There is no place for the tokens. Please name one with --home.
app-waiting = Waiting for another command to end…
app-storage = The tokens on this device cannot be read or kept. What is stored was not changed. Detail: { $detail }
app-missing = Please give { $flag }.
app-server = Address of the server (https://…)
app-server-form = Please give the address of the server, such as https://bank.example.
app-server-clear = An address without encryption (http://) is allowed for this device itself only. Please give one that begins with https://.
app-service-id-form = This is not a service ID. Please enter it as the mail says.
app-user-id-form = A user ID has { $digits } digits. Please enter it as the mail says.
app-user-id-mistyped = The user ID has a typing mistake. Please check it against the mail. Nothing has been sent.
app-password-prompt = Activation password
app-password-missing = The activation password cannot be entered here. Use a terminal, or pass it on standard input with --activation-password-stdin.
app-unreachable = The server could not be reached. Nothing is lost: please run the same command again in a while. Detail: { $detail }
app-bad-answer = What answered does not seem to be a Warifu server. Check the address and run the same command again. If it goes on, call the help desk.
app-refused = The server did not accept this ({ $code }). Please run the same command again in a while.
app-not-computed = There was not enough memory (64 MiB). Close other programs and run the same command again.
app-not-found = There is no token of that id. Please look at “warifu authenticator list”.
app-not-active = The set-up of this token is not finished. Please run “warifu authenticator add” again with the same input.
app-name-one = There are several tokens. Please name one with --id.
app-name-form = A name has 1 to { $max } characters, and no control characters.
app-remove-warning = A token that is removed from this device cannot be brought back. To use “{ $name }” again, it has to be revoked and issued again.
app-remove-question = Remove it?
app-remove-yes-needed = To confirm, run this again with --yes.
app-removed = Removed.
app-clock-slow = The clock of this device is { $amount } behind the server. The codes are corrected. Please turn on automatic date and time.
app-clock-fast = The clock of this device is { $amount } ahead of the server. The codes are corrected. Please turn on automatic date and time.

## The app for phones (/app/)
phone-tools = Tools
phone-back = Back
phone-add = Add token
phone-settings = Settings
phone-next = Next
phone-send = Send
phone-save = Save
phone-saved = Saved.
phone-cancel = Cancel
phone-reload = Load again
phone-first-title = Set up the app
phone-first-about = Enter the two IDs from the mail, and the activation password that you chose when you issued the token.
phone-install-first = On an iPhone or iPad, first press Share in Safari and choose “Add to Home Screen”, then set up the app from its icon there. Tokens that were set up in Safari do not come along.
phone-add-title = Add a token
phone-add-about = Enter the two IDs from the mail, and the activation password that you chose when you issued the token.
phone-evicted = The tokens that were kept on this device have been removed by the browser. To use one again, ask the master user or an administrator of your company to revoke it, then issue a new token.
phone-service-id-hint = The “Service ID” in the mail.
phone-user-id-hint = The “User ID” in the mail: 14 digits, with or without hyphens.
phone-activation-password-hint = The 4 to 8 digits that you chose when you issued the token. They are never sent from this device.
phone-activation-password-form = The activation password has 4 to 8 digits.
phone-show-password = Show the digits
phone-id-form = This is not a service ID. Please enter it as the mail says.
phone-user-id-form = A user ID has 14 digits. Please enter it as the mail says.
phone-user-id-mistyped = The user ID has a typing mistake. Please check it against the mail. Nothing has been sent.
phone-scan = Scan the QR code
phone-scan-about = If the page on your PC shows a QR code, you do not have to type the two IDs.
phone-scan-how = Point the camera at the QR code on the page on your PC.
phone-scan-view = What the camera sees
phone-scan-starting = Starting the camera…
phone-scan-looking = Looking for a QR code…
phone-scan-found = The QR code was read.
phone-scan-other = This is not the QR code of the issuance page.
phone-scan-elsewhere = This QR code is of another service. Scan it with that service’s app.
phone-scan-denied = The camera is not allowed. Allow it in the settings of the browser, or use one of the ways below.
phone-scan-no-camera = The camera of this device cannot be used. Please use one of the ways below.
phone-scan-picture = Choose a picture of the QR code
phone-scan-nothing = There is no QR code in this picture that can be read.
phone-scan-type = Type the IDs instead
phone-progress-title = Setting up the app
phone-stage-preparing = Preparing on this device…
phone-stage-contacting = Contacting the server…
phone-stage-checking = Checking the activation password…
phone-stage-finishing = Finishing the set-up…
phone-unreachable = The server cannot be reached. Nothing that you entered is lost; it goes on by itself as soon as there is a connection.
phone-try-now = Try now
phone-later = Continue later
phone-done-title = The app is set up
phone-done-about = This device can show your one-time password. Press “Next” to see it.
phone-done-lock = Lock the app, so that nobody else sees your codes
phone-refused-title = The app was not set up
phone-refused-ended = This set-up is over.
phone-refused-kept = What was begun is kept on this device.
phone-enter-again = Enter again
phone-to-codes = To the one-time passwords
phone-refused = The server did not accept this ({ $code }). Please try again in a while. If it goes on, call the help desk.
phone-out-of-memory = There is not enough memory (64 MB). Close other apps and tabs, and try again.
phone-code-spoken = One-time password { $digits }. Press to copy.
phone-code-hidden = The one-time password is hidden. Press to show it.
phone-press-to-copy = Press the digits to copy them.
phone-press-to-show = Press the dots to show the digits.
phone-next-code = Next one-time password { $code }
phone-changes-soon = Changes in { $seconds } seconds.
phone-copied = Copied.
phone-not-copied = It could not be copied. Please type the digits.
phone-hide-codes = Hide the digits
phone-show-codes = Show the digits
phone-search = Find a token
phone-search-nothing = No token fits.
phone-unfinished-title = The set-up is not finished
phone-unfinished = The set-up of this token is not finished yet.
phone-unfinished-password = To continue, enter the activation password again.
phone-go-on = Continue
phone-clock = Clock of this device
phone-clock-right = Right
phone-clock-slow = The clock of this device is { $amount } behind the server. The one-time password is corrected.
phone-clock-fast = The clock of this device is { $amount } ahead of the server. The one-time password is corrected.
phone-clock-unchecked = The clock of this device has not been compared with the server yet.
phone-clock-unsure = The clock was far off, so no right one-time password can be shown. Connect to the internet to check the clock, or mend date and time of the device.
phone-clock-backwards = The clock of this device shows a time in the past, so no right one-time password can be shown. Please mend date and time of the device.
phone-check-clock = Check the clock
phone-clock-help = How to mend the clock
phone-suspended = Your one-time password is suspended.
phone-suspended-next = Ask the master user or an administrator of your company to release it. Then the codes are shown again.
phone-revoked = This token is revoked.
phone-revoked-next = Sign in, issue a new token and add it to this app. You may remove the old one.
phone-expired = This token has expired.
phone-expired-next = Sign in, issue a new token and add it to this app. You may remove the old one.
phone-expires = This token expires on { $day }.
phone-expires-label = Expires on
phone-renew = Renew the token
phone-renewal-title = Renewal
phone-renewal-about = Renewed before it expires, the token can be used further. This needs an internet connection.
phone-renewal-from = It can be renewed from { $day }.
phone-renewed = The token is renewed.
phone-token-details = Details of the token
phone-service = Service
phone-user-name = Name
phone-standing = State
phone-since = since { $at }
phone-checked = Last checked with the server
phone-state-pending = Waiting to be finished
phone-state-started = Set-up begun
phone-standing-activated = Set up, first code not entered yet
phone-standing-in-use = In use
phone-standing-suspended = Suspended
phone-standing-revoked = Revoked
phone-standing-expired = Expired
phone-standing-unknown = Not yet checked with the server
phone-name = Name in this app
phone-name-hint = Up to 40 characters. Leave it empty to show the name of the service.
phone-name-form = A name has 1 to 40 characters, and no control characters.
phone-order = Order
phone-order-now = Shown as number { $at } of { $all }.
phone-move-up = Move up
phone-move-down = Move down
phone-remove-title = Remove from this device
phone-remove-active = Once removed, this device cannot show the one-time password, and you cannot sign in. To use one again, the master user or an administrator has to revoke the token, and you issue a new one.
phone-remove-over = This token cannot be used any more. Removing it changes nothing for the others.
phone-remove-unfinished = Removes what was begun from this device. The set-up can be done again only within the time and tries of the issuance.
phone-remove = Remove from this device
phone-remove-question = Remove “{ $name }”?
phone-remove-final = This cannot be undone.
phone-remove-yes = Remove
phone-removed = Removed.
phone-locked-title = The app is locked
phone-pin = PIN
phone-unlock = Unlock
phone-unlock-device = Unlock with this device
phone-pin-wrong = The PIN is wrong.
phone-pin-wait = Please wait { $amount }
phone-tries-left = { $n ->
    [one] After { $n } more wrong PIN all tokens on this device are erased.
   *[other] After { $n } more wrong PINs all tokens on this device are erased.
  }
phone-device-not-verified = The device did not verify you. Please try again.
phone-lock-forgotten = If you cannot unlock the app
phone-forgotten-title = Erase everything and start over?
phone-forgotten-about = If the app cannot be unlocked, all that is left is to erase the tokens on this device. Then ask the master user or an administrator of your company to revoke them, and issue new ones.
phone-erase-yes = Erase everything
phone-erased-title = The tokens were erased
phone-erased-about = The PIN was wrong ten times in a row, so all tokens on this device were erased.
phone-erased-next = Ask the master user or an administrator of your company to revoke your token, then issue a new one.
phone-start-over = Start over
phone-lock-title = App lock
phone-lock-about = With a lock, the tokens kept on this device cannot be read without the PIN or the device’s own check of its user.
phone-lock-now = At present
phone-lock-is-none = The app is not locked.
phone-lock-is-pin = Locked by a PIN.
phone-lock-is-device = Locked by this device’s check of its user.
phone-lock-off = Turn the lock off
phone-lock-is-on = The lock is on.
phone-lock-is-off = The lock is off.
phone-lock-when = When the lock falls
phone-lock-at-once = At once on leaving the app
phone-lock-after = { $amount } after leaving the app
phone-lock-pin = Use a PIN
phone-lock-pin-about = 4 to 8 digits. After ten wrong ones in a row all tokens on this device are erased.
phone-pin-now = Present PIN
phone-pin-now-hint = Needed to change the lock or to turn it off.
phone-pin-new = New PIN
phone-pin-hint = 4 to 8 digits that you remember and nobody guesses. We advise 6 or more.
phone-pin-again = New PIN (again)
phone-pin-set = Set the PIN
phone-pin-change = Change the PIN
phone-pin-length = A PIN has 4 to 8 digits.
phone-pin-trivial = This PIN is easy to guess. Please avoid repeated digits, digits in a row, and dates.
phone-pin-mismatch = The two PINs differ. Please enter the same one twice.
phone-lock-device = Use the device’s own check
phone-lock-device-about = Unlock with your face, your finger, or the passcode of the device.
phone-lock-device-none = This device or browser does not offer it.
phone-lock-device-set = Set it up
phone-lock-device-label = Lock of the Warifu app
phone-lock-device-failed = It could not be set up on this device. Please use a PIN.
phone-hidden-first = Hide the digits until they are pressed
phone-persist-title = Kept on this device
phone-persist-ask = Ask for permission to keep
phone-persisted = The tokens are kept on this device. The browser will not clear them by itself when space runs short.
phone-not-persisted = The browser has not promised to keep the tokens: it may clear them when space runs short.
phone-help-title = Help
phone-help-about = Clock, new phone, lost phone, and more
phone-help-clock-title = If the clock is wrong
phone-help-clock-about = A one-time password is made from the current time. Let the device set date and time automatically.
phone-help-clock-iphone = iPhone, iPad: Settings, General, Date & Time, turn on “Set Automatically”.
phone-help-clock-android = Android: Settings, System, Date & time, turn on “Set time automatically”.
phone-help-clock-pc = PC: in the settings for date and time, let the time be set automatically.
phone-help-clock-then = Then open this app again.
phone-help-refused-title = If a one-time password is refused
phone-help-refused = A one-time password works once. Wait until the digits change, and enter the new ones. Too many wrong ones in a row suspend it.
phone-help-new-title = If you change the phone
phone-help-new = A token cannot be moved to another device. The new phone gets a new token.
phone-help-new-next = Ask the master user or an administrator of your company to revoke the token, sign in and issue a new one, and add that to the app on the new phone.
phone-help-lost-title = If you lost the phone
phone-help-lost = At once, ask the master user or an administrator of your company, or the help desk, to revoke the token.
phone-help-install-title = To add the app to the home screen
phone-help-install-iphone = iPhone, iPad: in Safari press Share, then “Add to Home Screen”. Do this before you add a token: tokens that were set up in Safari do not come along.
phone-help-install-android = Android, PC: in the browser’s menu choose “Install app”.
phone-update-ready = There is a new version. Your tokens stay as they are.
phone-update-take = Update
phone-trouble-title = The app cannot be shown
phone-storage = This browser does not keep tokens. Leave private browsing, or use another browser.
phone-not-loaded = A part of the app could not be loaded. Check your connection and load it again.
phone-fault = The app met a fault ({ $code }). Your tokens are not lost. If loading again does not help, call the help desk.
