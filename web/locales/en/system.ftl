# Pages about the system: numbers, log, applications, scopes, keys, mails, settings.
figure-users = Users
figure-locked = Locked users
figure-factors = Authenticators in use
figure-sessions = Live sessions
figure-logins = Logins today
figure-refusals = Refusals today
figure-mails-waiting = Mails waiting
figure-mails-failed = Mails given up
chart-log = Logins and refusals
chart-log-title = Logins and refusals by day, the last 14 days. The numbers are in the table below.
chart-factors = Authenticators by state
chart-factors-title = Authenticators by state. The numbers are in the table below.
chart-numbers = As numbers
logins = Logins
refusals = Refusals
overview-hint = Counted at most every half minute. Days are in UTC.
column-day = Day
column-setting = Setting
column-value = Value
column-source = Set by
column-recipient = Recipient
column-kind = About
column-next = Next try, or sent
column-key = Key
key-of-id-tokens = for ID tokens
column-algorithm = Algorithm
column-created = Created
column-activated = Signs since
column-retired = Until
column-seq = No.
column-subject = To whom
filter = Filter
older = Older
youngest = Youngest
next-page = Next page
change = Change
change-label = Change { $name }
yes = Yes
no = No
form-overtaken = Somebody else has changed this meanwhile. Nothing was saved, and what you typed is still here. If you save now, it takes the place of what is stored.
form-differences = What is not the same
form-stored = Stored now
form-typed = In this form
form-empty = (empty)
form-error = Some fields cannot be taken as they are. What is wrong stands below each of them.
code-wanted-client = An application that is new, or may do more than before, wants a code of yours. Nothing has been saved yet.
duration-seconds = { $count ->
    [one] one second
   *[other] { $count } seconds
 }
duration-minutes = { $count ->
    [one] one minute
   *[other] { $count } minutes
 }
duration-hours = { $count ->
    [one] one hour
   *[other] { $count } hours
 }
duration-days = { $count ->
    [one] one day
   *[other] { $count } days
 }
settings-lead = What this server runs with, and what set it. Passwords are not shown. To change a setting, change its source and start the server again.
settings-none = This server does not say its settings.
setting-unset = not set
outbox-waiting = { $count ->
    [0] No mail waits.
    [one] One mail waits.
   *[other] { $count } mails wait.
 }
outbox-failed = { $count ->
    [0] None was given up.
    [one] One was given up.
   *[other] { $count } were given up.
 }
outbox-none = No mail here.
retry = Try again
retry-label = Try again to { $recipient }
retry-waiting = Try all that wait now
retry-given-up = Try those given up again
mail-waiting = Waiting
mail-sent = Sent
mail-failed = Given up
mailkind-invitation = Invitation
mailkind-enrolled = Phone added
mailkind-factor-removed = Phone removed
mailkind-reset = Login reset
mailkind-locked = Account locked
mailkind-password-changed = Password changed
mailkind-recovery-code-used = Recovery code used
mailkind-recovery-codes-low = Few recovery codes
mailkind-recovery-codes-renewed = Recovery codes made anew
mailkind-new-device = Login from a new place
said-mail-retried = The mail is tried again now.
said-mails-retried = All mails that wait are tried now.
said-given-up-retried = The mails that were given up are tried again now.
given-up-title = Try mails again that were given up?
given-up-mails = { $count ->
    [0] None of them leads anywhere any more.
    [one] One mail is sent now, however old it is.
   *[other] { $count } mails are sent now, however old they are.
 }
given-up-void = { $count ->
    [one] One invitation is left out: its link is used, void or over.
   *[other] { $count } invitations are left out: their links are used, void or over.
 }
given-up-button = Send them
keys-lead = The current key signs access tokens. The next one is published already, so that applications know it when it takes over. Tokens of a retired key stay good until they expire.
keys-lead-id-tokens = ID tokens, which tell an application who has logged in, are signed by a key of their own.
key-next = Next
key-current = Current
key-retired = Retired
key-revoked = Revoked
rotate-title = Rotate
rotate-what = The next key signs from now on, and a new next one is made. The key of ID tokens is replaced, too. Nothing that was signed before becomes invalid.
rotate-algorithm = Algorithm of the new key
rotate-same = As before
rotate-button = Rotate now
revoke-key-section = Emergency
revoke-key-lead = If somebody else may have a key, revoke it, also one that is retired: everything that it signed becomes invalid. Whoever may have the database and the master key has every key, the next one too: then revoke all.
revoke-key-link = Rotate, and revoke the key of access tokens
revoke-keys-link = Revoke all keys
revoke-this-key = Revoke
revoke-this-key-of = Revoke the key { $key }
revoke-keys-title = Revoke all signing keys?
revoke-keys-tokens = Every signed token that there is is invalid from now on, at all applications.
revoke-keys-next = New keys are made, and one of them signs from now on.
revoke-keys-button = Revoke all keys
revoke-key-title = Revoke the signing key { $key }?
revoke-key-tokens = Every signed token that it made is invalid from now on, at all applications.
revoke-key-next = The next key signs from now on.
revoke-id-token-key-next = The next ID token is signed by another key.
revoke-next-key-next = A new next key is made.
revoke-key-checks = Applications that check tokens alone learn of it from the list of revocations, some minutes later.
revoke-key-when = This cannot be undone. If the key is not in danger, rotate it instead.
revoke-key-button = Revoke the key
said-keys-rotated = The next key signs from now on.
said-keys-too-young = Nothing was done. The next key is younger than ten minutes, so not every application knows it yet. Wait, then rotate again.
said-key-revoked = The key is revoked.
said-keys-revoked = All keys are revoked, and a new one signs.
scopes-lead = A rule tightens what an application's tokens may do. A scope without a rule is ruled by the application alone.
scopes-none = No rules yet.
scope-add = Add a rule
scope-new-title = A new rule
scope-title = Rule of { $name }
scope-name = Scope
scope-name-hint = As applications ask for it, without blanks.
scope-description = Description
scope-description-hint = What it allows, in words for people.
scope-audience = Audience
scope-audience-hint = A URI: only tokens for it get the scope. Empty: any.
scope-token_ttl = Tokens live at most
scope-token_ttl-hint = In seconds. Empty: as long as the application's.
scope-max_age = Logins are at most this old
scope-max_age-hint = In seconds. Empty: any age.
scope-acr = How the user logged in
scope-one-use = Tokens with it can be used once
scope-by-grant = Only for users who were given access
acr-any = In any way
acr-pwd = At least with a password
acr-recovery = At least with a recovery code
acr-otp = With a code of an authenticator
rule-audience = only for { $audience }
rule-token-ttl = tokens live at most { $time }
rule-max-age = logins at most { $time } old
rule-one-use = used once
rule-by-grant = only with access given
rule-none = No limits
error-scope-name = A scope is one word of visible ASCII characters without quotes and backslashes.
scope-gone = Somebody else has removed this rule meanwhile. Nothing was saved, and what you typed is still here. If you save now, the rule is there again.
error-scope-taken = This scope has a rule already. Change that one.
error-scope-description = The description is too long (1,000 bytes at most).
error-scope-audience = This is not an absolute URI, or it has a fragment.
error-scope-token-ttl = A number of seconds, 1 to 2592000 (thirty days).
error-scope-max-age = A number of seconds, 1 to 2592000 (thirty days).
error-scope-by-grant = A scope of the management comes with a role, not by grant.
error-scope-acr = There is no such way to log in.
remove-scope-title = Remove the rule of { $name }?
remove-scope-what = From now on only the application's own registration limits { $name }.
remove-scope-wider = Tokens with { $name } may live longer and reach further than before.
remove-scope-grants = If the rule let only users with given access have { $name }, every user of such an application can have it.
remove-scope-button = Remove the rule
said-scope-saved = The rule is saved and holds from now on.
said-scope-removed = The rule is removed.
clients-lead = Programs that log people in here, or manage by the API.
clients-none = No application yet.
clients-all = All applications
client-add = Add an application
client-new-title = A new application
client-edit-title = Change { $name }
client-active = Active
client-disabled = Disabled
client-registration = Registration
client-policy = Tokens and sessions
client-id = Client ID
client-issuer = Issuer (this server)
client-secret = Secret
client-name = Name
client-name-hint = 1 to 100 visible ASCII characters. It cannot be changed later.
client-grants = Ways to get a token
grant-password = Name and password, then a code
grant-mfa-otp = Code after the password
grant-otp = Name and code alone: the application checks the first factor
grant-mfa-recovery-code = Recovery code after the password
grant-authorization-code = Login in the browser (OpenID Connect)
grant-refresh-token = Refresh tokens: sessions are prolonged
grant-client-credentials = For itself, without a user
client-scope = Scopes
client-scope-hint = What it may ask for, separated by blanks.
client-audiences = Audiences
client-audiences-hint = URIs of the services that its tokens are for, one a line. Empty: this server only.
client-redirect_uris = Redirect URIs
client-redirect_uris-hint = Where browsers may be sent back to, as the application sends it, one a line. For logins in the browser.
client-detail_types = Types of authorization details
client-detail_types-hint = Types of authorization_details (RFC 9396) that it may ask for, one a line.
client-token_format = Access tokens
format-jwt = Signed (JWT): anybody can check them
format-opaque = Opaque: this server is asked each time
client-one-use = Used once
client-one-use-tick = Each token can be used once (opaque tokens only)
client-token-lifetime = Tokens live
client-token_ttl = Tokens live
client-token_ttl-hint = In seconds, thirty days (2592000) at most.
client-idle = Sessions end without a refresh after
client-session_idle = Sessions end without a refresh after
client-session_idle-hint = In seconds, a year (31536000) at most.
client-lasts = Sessions end at last after
client-session_ttl = Sessions end at last after
client-session_ttl-hint = In seconds, a year (31536000) at most.
client-second_factor = Second factor
second-required = Required: who has none enrols first
second-optional = Optional: who has none logs in by password
client-disable = Disable
client-enable = Enable
secret-title = { $name } is registered
secret-lead = Give these three to the application. The rest it finds at the issuer.
secret-once = The secret is shown only now. Nobody can look it up later.
secret-kept = I have kept it
error-client-name = 1 to 100 visible ASCII characters, no blank at either end.
error-client-name-is-id = A name cannot be a UUID: IDs are.
error-client-taken = There is an application of this name.
error-client-grants = Choose at least one.
error-client-scope = Scopes are words of visible ASCII characters without quotes and backslashes, 1,000 characters in all.
error-client-audiences = One of these is not an absolute URI, or has a fragment.
error-client-redirect-uris = A login in the browser needs one at least. Each must be an https URI (http on localhost) without fragment, user name and *.
error-client-detail-types = One of these cannot be a type.
error-client-token-format = Tokens that are used once are opaque.
error-client-token-ttl = A number of seconds, 1 to 2592000 (thirty days).
error-client-session-idle = A number of seconds, 1 to 31536000 (a year).
error-client-session-ttl = A number of seconds, 1 to 31536000 (a year).
error-client-second-factor = Choose one of the two.
disable-client-title = Disable { $name }?
disable-client-secret = { $name } can log nobody in: its secret counts as wrong.
disable-client-sessions = Everybody who is logged in at { $name } is logged out, and its tokens are over.
disable-client-after = You can enable { $name } again, with the same secret.
disable-client-button = Disable the application
remove-client-title = Remove { $name }?
remove-client-secret = The registration and the secret of { $name } are gone. This cannot be undone.
remove-client-sessions = Everybody who is logged in at { $name } is logged out, and its tokens are over.
remove-client-after = What { $name } did stays in the audit log.
remove-client-button = Remove the application
said-client-changed = The application is changed.
client-gone = Somebody else has removed this application meanwhile. Nothing was saved, and what you typed is still here. If you save now, it is registered anew, with another ID and another secret.
said-client-enabled = The application is enabled.
said-client-disabled = The application is disabled, and its sessions are over.
said-client-removed = The application is removed.
audit-lead = Who did what, the youngest first.
audit-who = User or application
audit-part = As
part-either = By or to
part-actor = Who did it
part-subject = To whom it was done
audit-from = First day (UTC)
audit-until = Last day (UTC)
audit-none = No entry is like that.
audit-stopped = This page has looked back to entry { $seq }. “Older” goes on from there.
audit-entry = Entry { $seq }
audit-detail = More
audit-hash = Chained by
audit-neighbours = Before and after
audit-all = The whole log
audit-verify = That nothing was altered or taken out is proved on the server:
export = Export all of these:
party-user = A user who is gone
party-client = An application
party-factor = Authenticator
party-group = Group
party-session = Session
party-signing-key = Signing key
party-operator = Command line
party-anonymous = Nobody known
party-system = Countersign
error-audit-action = There is no such action.
error-audit-part = Choose one of the three.
error-audit-outcome = Choose one of the outcomes.
error-audit-from = The first day is no day of the calendar.
error-audit-until = The last day is no day of the calendar.
error-audit-who = No user or application has this name. Whoever is gone is found by the id, as user:ID.
action-mail-shown = Mail shown
action-mail-retried = Mail tried again
action-client-secret-renewed = Application secret renewed
mail-tries = { $count ->
    [0] not tried yet
    [one] tried once
   *[other] tried { $count } times
 }
party-console = This console
client-renew-secret = New secret
secret-client-title = Give { $name } a new secret?
secret-client-secret = The secret that { $name } has now is wrong at once: it can do nothing until it knows the new one.
secret-client-sessions = Sessions and tokens at { $name } stay. If somebody else has had the secret, disable the application first.
secret-client-after = The new secret is shown once.
secret-client-button = Make a new secret
