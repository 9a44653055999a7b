# Mails. $issuer: the installation's name; $name: the user's; $url: where the server is.
mail-greeting = Hello { $name },
mail-link = Open the link
mail-not-you = If that was not you, tell your administrator at once.
mail-not-expected = If you do not expect this, ignore this mail: nothing happens without you.
mail-footer = Sent by { $issuer }, { $url }. Nobody reads replies. We never ask for a code or a password by mail.

mail-invitation-subject = { $issuer }: your invitation
mail-invitation-text = You are invited to { $issuer }. Set up your login with the link below. It works once, until { $until }. Do not pass it on.

mail-enrolled-subject = { $issuer }: a phone was added
mail-enrolled-text = A phone or token was added to your account at { $issuer }. Its codes count from now on.

mail-factor-removed-subject = { $issuer }: a phone was removed
mail-factor-removed-text = A phone or token was removed from your account at { $issuer }. Its codes count no more.

mail-reset-subject = { $issuer }: your login was reset
mail-reset-text = Your phones, tokens and recovery codes at { $issuer } were reset by an administrator, and all your sessions ended. At your next login you set up a phone anew.

mail-locked-by-administrator-subject = { $issuer }: your account is locked
mail-locked-by-administrator-text = An administrator locked your account at { $issuer }, and all your sessions ended. You can log in again once it is unlocked.

mail-locked-by-wrong-codes-subject = { $issuer }: wrong codes for your account
mail-locked-by-wrong-codes-text = Several wrong codes in a row were given for your account at { $issuer }. Codes have to wait now, longer with every further wrong one. Whoever gave them knows your password, or came by way of an application that checked it.

mail-locked-by-too-many-wrong-codes-subject = { $issuer }: your codes are locked
mail-locked-by-too-many-wrong-codes-text = So many wrong codes in a row were given for your account at { $issuer } that codes are locked. A recovery code or an administrator unlocks them. Whoever gave them knows your password, or came by way of an application that checked it.

mail-password-changed-subject = { $issuer }: your password was changed
mail-password-changed-text = The password of your account at { $issuer } was changed.

mail-recovery-code-used-subject = { $issuer }: a recovery code was used
mail-recovery-code-used-text = Somebody logged in to your account at { $issuer } with one of your recovery codes. It is void now, and a new one was shown in its place. { $left ->
        [one] One recovery code is good.
       *[other] { $left } recovery codes are good.
    }

mail-recovery-codes-low-subject = { $issuer }: few recovery codes are left
mail-recovery-codes-low-text = { $left ->
        [one] One at most is left of the recovery codes that you were given together at { $issuer }.
       *[other] Only { $left } are left of the recovery codes that you were given together at { $issuer }.
    } The ones that replaced the used ones were shown at those logins and nowhere else. If you did not write them down, make new recovery codes.

mail-recovery-codes-renewed-subject = { $issuer }: new recovery codes
mail-recovery-codes-renewed-text = New recovery codes were made for your account at { $issuer }. All that you had before are void.

mail-new-device-subject = { $issuer }: a login from a new place
mail-new-device-text = There was a login to { $application } with your account at { $issuer } from a place that has not been used before: address { $address }, { $at }.
