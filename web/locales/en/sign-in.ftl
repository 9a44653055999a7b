# Logging in and the first enrolment.
login-title = Log in
login-next = Next
login-for = to go on to
login-other = Log in as somebody else
log-in = Log in
field-username = User name
field-password = Password
field-email-optional = E-mail address (optional)
field-new-password = New password
field-password-again = New password, once more
password-hint = At least 8 characters. A few words in a row are easy to keep in mind and hard to guess.
code-title = Your code
code-lead = Logging in as
remember-device = { $count ->
    [one] Ask for no code in this browser for one day
   *[other] Ask for no code in this browser for { $count } days
 }
recovery-instead = Phone lost? Use a recovery code
field-recovery-code = Recovery code
recovery-hint = Sixteen letters and digits, from the list that you kept. Each works once.
recovery-use = Use recovery code
going-on-title = You are logged in
going-on-lead = The application opens in a moment. If it does not, go on by hand.
gone-title = You are logged out
gone-lead = The application opens in a moment. If it does not, go on by hand.
end-session-title = Log out here, too?
end-session-application = You come from
end-session-user = Logged in here as
end-session-others = As long as you are logged in here, applications can log you in without a code. At other applications you stay logged in.
end-session-no-way-back = You will not be sent back to the application:
end-session-stay = Stay logged in
authorize-title = Go on to the application?
authorize-application = You are on your way to
authorize-user = Logged in as
authorize-tells = The application learns that you are logged in. If it is registered for that, it also learns your name, e-mail address and groups.
authorize-powers = It also wants to act here in your place:
power-sessions = see and end your sessions
power-factors = see, add and remove your authenticators
power-factors-all = manage the authenticators of all users
power-factors-read = see the authenticators of all users
power-users = manage users and what they have access to
power-users-read = see all users
power-clients = manage applications and signing keys
power-clients-read = see applications and signing keys
power-audit = read the audit log
power-audit-read = read the audit log
authorize-back = Back to the application
again-title = Confirm that it is you
again-lead = This wants a code that is not older than a few minutes.
steps = Steps
step-password = Password
step-phone = Phone
step-recovery = Recovery codes
welcome-title = Welcome
welcome-lead = Choose a password for
welcome-first-title = Set up Countersign
welcome-first-lead = You make the first administrator now. In three steps: a password, your phone, and recovery codes.
enrol-title = Connect your phone
enrol-lead = Next you see a QR code, this once. Have an authenticator app ready on your phone.
enrol-begin = Show the QR code
enrol-scan = Scan this with the authenticator app on your phone. Then type the six digits that it shows.
enrol-open = On this phone: open in the app
enrol-open-phone = Open in the phone app on this device
enrol-one-tap = You can also confirm with one tap in the Countersign phone app. To go on here, type the next code that it shows.
enrol-type = No camera? Type it in
enrol-account = Account
enrol-issuer = Issuer
enrol-secret = Secret
enrol-once = It is shown only now. Nobody can look it up later.
enrol-confirm = Confirm
enrol-kept = Your app still has the entry: try the code that it shows now. If you did not scan it, begin anew with another QR code.
enrol-anew = Show a new QR code
qr-label = QR code with the secret for your authenticator app
codes-title = Your recovery codes
codes-lead = Each of these takes the place of your phone once. Keep them where you find them without it.
codes-once = They are shown only now.
codes-download = Download
codes-print = Print
codes-kept = I have kept them
code-fresh-title = A fresh recovery code
code-fresh-lead = It takes the place of the one that you just used. Put it on your list.
said-login-expired = That took too long. Log in again.
said-logged-out = You are logged out.
said-logged-out-everywhere = You are logged out everywhere.
error-password = User name or password is wrong.
error-code = This code is wrong. Try the one that your app shows now.
error-code-used = This code was used already. Wait for the next one.
error-first-code = This code does not fit. Try the one that your app shows now, and check your phone's clock.
error-recovery-code = This recovery code is wrong or was used already.
error-locked = This account is locked. An administrator can unlock it; a recovery code may help.
error-now = That cannot be done now. Try again in a moment.
error-wait-seconds = { $count ->
    [one] Too many attempts. Try again in one second.
   *[other] Too many attempts. Try again in { $count } seconds.
 }
error-wait-minutes = { $count ->
    [one] Too many attempts. Try again in one minute.
   *[other] Too many attempts. Try again in { $count } minutes.
 }
error-field-otp = A code is 6 to 8 digits.
error-field-recovery-code = A recovery code is sixteen letters and digits.
error-field-username = This user name cannot be taken: 1 to 128 characters, no colon, no blank at either end.
error-field-email = This is not an e-mail address.
error-field-password = The password is too short (at least 8 characters) or too long.
error-field-password-again = The two new passwords are not the same.
error-field-current = The current password is wrong.
error-field-label = A name has 1 to 64 characters.
