# Users, and what managers do with them.
nav-approvals = Approvals
refused-last-administrator = This is the last administrator. Make another one first.
users-add = Add user
users-invite-several = Invite several
users-import = Import
users-search = Name or e-mail address begins with
users-find = Search
users-all = All users
users-none = Nobody fits.
users-none-yet = Nobody so far. Go on to the next page to look further.
users-stopped = Looked through { $count } users for this page. The next page looks further.
users-invite-now = Send an invitation now
column-name = Name
column-email = E-mail
column-role = Role
column-enrolment = Enrolment
column-authenticators = Authenticators
column-last-used = Last used
column-line = Line
user-active = Active
user-locked = Disabled
enrolment-active = Authenticator in use
enrolment-pending = Waiting for a first code
enrolment-none = No authenticator
pages = Pages
page-first = Back to the first page
page-next = Next page
user-about = About
user-no-email = None. Mail reaches this user nowhere.
user-created = Added
user-language = Language
user-language-browser = As the browser says
user-failures = Failed codes in a row
user-waits-for-help = Codes count again once somebody unlocks
user-waits-until = Codes count again from
user-groups = Groups
user-no-groups = None
user-invited-until = Invitation is good until
user-reset-until = Reset waits for approval until
user-actions = Actions
user-unlock = Unlock
user-enable = Enable
user-invite = Send invitation
user-audit = All of this user in the audit log
user-no-authenticators = No authenticator.
user-no-sessions = Not logged in anywhere.
link-title = Invitation link
link-no-address = There is no e-mail address for { $name }, so nothing was sent. Give them this link in a safe way.
link-once = Whoever has it sets the password. It is shown this once, and is good until
deed-reset-title = Reset the enrolment of { $name }?
deed-reset-what = Every authenticator and recovery code of { $name } stops working, and all sessions end.
deed-reset-next = At the next login a new phone is connected. Until then the password alone is enough for that.
deed-reset-approval = You ask for it. It happens when another person approves within a day.
deed-reset-button = Reset enrolment
deed-disable-title = Disable { $name }?
deed-disable-what = { $name } cannot log in anywhere any more, and all sessions end now.
deed-disable-back = You can enable the account again. Authenticators and password stay; an invitation that waits does not.
deed-disable-button = Disable
deed-end-sessions-title = End all sessions of { $name }?
deed-end-sessions-what = { $name } is logged out of every application and browser, and logs in again.
deed-end-sessions-button = End sessions
deed-remove-title = Remove { $name }?
deed-remove-what = The account of { $name }, with every authenticator, session and recovery code, is deleted now.
deed-remove-forever = This cannot be undone. The audit log keeps what happened.
deed-remove-button = Remove user
deed-role-title = Change the role of { $name }?
deed-role-what = All sessions of { $name } end, and the new role counts from the next login.
deed-role-becomes = The new role is: { $role }
deed-role-user = Users look after their own authenticators only.
deed-role-helpdesk = Help desks look at users, unlock them and reset those who are not managers.
deed-role-auditor = Auditors read everything and change nothing.
deed-role-admin = Administrators may do everything, also to you.
deed-role-button = Change role
deed-own = This is your own account.
approvals-waiting = { $count ->
    [one] One reset waits for a second person.
   *[other] { $count } resets wait for a second person.
 }
approvals-lead = A help desk asked for these resets. Another person decides within a day; whoever asked cannot.
approvals-none = Nothing waits.
approvals-asked-by = Asked by { $name }
approvals-until = good until
approvals-own = You asked for it, so somebody else decides.
approve = Approve
approve-label = Approve the reset of { $name }
approve-title = Approve the reset of { $name }?
approve-asked = { $name } asked for it.
approve-button = Approve reset
decline = Decline
decline-label = Decline the reset of { $name }
import-title = Import users
import-lead = Paste a list, look at what would happen, then add everybody at once. Users who exist already stay as they are.
import-file = CSV file
import-list = List
import-hint = The first line names the columns: name, and if you like email and role, in any order. 5,000 users at most.
import-invite = Send invitations to those with an e-mail address
import-preview = Look first
import-edit = Change the list
import-guessed = This file is not in UTF-8. It was read as Windows-1252: see whether names with accents and umlauts are right.
import-preview-title = This would happen
import-done-title = This was done
import-apply = Add them
import-all-or-nothing = Nothing has changed yet. Either everybody who is new is added, or, if anything goes wrong, nobody.
import-unreadable = The list cannot be used. { $why }
import-will-count = { $count ->
    [one] One user will be added.
   *[other] { $count } users will be added.
 }
import-done-count = { $count ->
    [one] One user was added.
   *[other] { $count } users were added.
 }
import-exists-count = { $count ->
    [one] One exists already.
   *[other] { $count } exist already.
 }
import-wrong-count = { $count ->
    [one] One line has something wrong and is left out.
   *[other] { $count } lines have something wrong and are left out.
 }
import-will-added = Will be added
import-will-invited = Will be added and invited
import-will-no-address = Will be added; no address, so no invitation
import-done-added = Added
import-done-invited = Added and invited
import-done-no-address = Added; no address, so no invitation
import-exists = Exists already
import-wrong-columns = The line has more or fewer columns than the first
import-wrong-unreadable = Holds a character that could not be read. Save the list as UTF-8
import-wrong-name = Column name: this cannot be a name
import-wrong-twice = Column name: stands in line { $line } already
import-wrong-email = Column email: this is no e-mail address
import-wrong-role = Column role: must be user, helpdesk, auditor or admin
import-wrong-role-reach = Column role: you may not give this role
said-user-added = The user is added.
said-user-added-invited = The user is added, and the invitation is on its way.
said-user-invited = The invitation is on its way. Older ones are void.
said-invite-disabled = Nobody was invited: the account is disabled. Enable it first.
said-user-unlocked = The user is unlocked.
said-user-disabled = The account is disabled, and all its sessions are over.
said-user-removed = The user is removed.
said-sessions-ended = All sessions are over.
said-email-changed = The e-mail address is saved.
said-role-changed = The role is changed.
said-reset-done = The enrolment is reset.
said-reset-nothing = There was nothing left to reset.
said-reset-waits = Another person has to approve the reset within a day.
said-reset-approved = You approved the reset, and it is done.
said-reset-declined = You declined the reset. Nothing was changed.
said-approval-over = This does not wait any more: somebody else decided it, or the day is over.
action-reset-asked = Reset asked for
action-reset-approved = Reset approved
action-reset-declined = Reset declined
action-users-imported = Users imported
