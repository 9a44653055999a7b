# Mails. $issuer: Name der Installation; $name: Name des Benutzers; $url: Adresse des Servers.
mail-greeting = Guten Tag { $name },
mail-link = Link öffnen
mail-not-you = Wenn Sie das nicht waren, melden Sie es sofort Ihrer Administration.
mail-not-expected = Wenn Sie das nicht erwarten, ignorieren Sie diese Mail: Ohne Sie geschieht nichts.
mail-footer = Gesendet von { $issuer }, { $url }. Antworten liest niemand. Wir fragen nie per Mail nach einem Code oder Passwort.

mail-invitation-subject = { $issuer }: Ihre Einladung
mail-invitation-text = Sie sind zu { $issuer } eingeladen. Richten Sie Ihre Anmeldung mit dem Link unten ein. Er gilt einmal, bis { $until }. Geben Sie ihn nicht weiter.

mail-enrolled-subject = { $issuer }: Ein Telefon wurde hinzugefügt
mail-enrolled-text = Zu Ihrem Konto bei { $issuer } wurde ein Telefon oder Token hinzugefügt. Seine Codes gelten ab jetzt.

mail-factor-removed-subject = { $issuer }: Ein Telefon wurde entfernt
mail-factor-removed-text = Aus Ihrem Konto bei { $issuer } wurde ein Telefon oder Token entfernt. Seine Codes gelten nicht mehr.

mail-reset-subject = { $issuer }: Ihre Anmeldung wurde zurückgesetzt
mail-reset-text = Ihre Telefone, Token und Wiederherstellungscodes bei { $issuer } wurden von der Administration zurückgesetzt, alle Ihre Sitzungen beendet. Bei der nächsten Anmeldung richten Sie ein Telefon neu ein.

mail-locked-by-administrator-subject = { $issuer }: Ihr Konto ist gesperrt
mail-locked-by-administrator-text = Die Administration hat Ihr Konto bei { $issuer } gesperrt und alle Ihre Sitzungen beendet. Sie können sich wieder anmelden, sobald es entsperrt ist.

mail-locked-by-wrong-codes-subject = { $issuer }: Falsche Codes für Ihr Konto
mail-locked-by-wrong-codes-text = Für Ihr Konto bei { $issuer } wurden mehrere falsche Codes nacheinander eingegeben. Codes müssen jetzt warten, mit jedem weiteren falschen länger. Wer sie eingegeben hat, kennt Ihr Passwort oder kam über eine Anwendung, die es geprüft hat.

mail-locked-by-too-many-wrong-codes-subject = { $issuer }: Ihre Codes sind gesperrt
mail-locked-by-too-many-wrong-codes-text = Für Ihr Konto bei { $issuer } wurden so viele falsche Codes nacheinander eingegeben, dass Codes gesperrt sind. Ein Wiederherstellungscode oder die Administration entsperrt sie. Wer sie eingegeben hat, kennt Ihr Passwort oder kam über eine Anwendung, die es geprüft hat.

mail-password-changed-subject = { $issuer }: Ihr Passwort wurde geändert
mail-password-changed-text = Das Passwort Ihres Kontos bei { $issuer } wurde geändert.

mail-recovery-code-used-subject = { $issuer }: Ein Wiederherstellungscode wurde benutzt
mail-recovery-code-used-text = Jemand hat sich bei Ihrem Konto bei { $issuer } mit einem Ihrer Wiederherstellungscodes angemeldet. Er gilt nicht mehr, an seiner Stelle wurde ein neuer gezeigt. { $left ->
        [one] Ein Wiederherstellungscode gilt.
       *[other] { $left } Wiederherstellungscodes gelten.
    }

mail-recovery-codes-low-subject = { $issuer }: Nur noch wenige Wiederherstellungscodes
mail-recovery-codes-low-text = { $left ->
        [one] Von den Wiederherstellungscodes, die Sie bei { $issuer } zusammen bekommen haben, ist höchstens noch einer übrig.
       *[other] Von den Wiederherstellungscodes, die Sie bei { $issuer } zusammen bekommen haben, sind nur noch { $left } übrig.
    } Die anstelle der benutzten wurden nur bei jenen Anmeldungen gezeigt. Wenn Sie sie nicht aufgeschrieben haben, erzeugen Sie neue Wiederherstellungscodes.

mail-recovery-codes-renewed-subject = { $issuer }: Neue Wiederherstellungscodes
mail-recovery-codes-renewed-text = Für Ihr Konto bei { $issuer } wurden neue Wiederherstellungscodes erzeugt. Alle bisherigen gelten nicht mehr.

mail-new-device-subject = { $issuer }: Anmeldung von einem neuen Ort
mail-new-device-text = Mit Ihrem Konto bei { $issuer } gab es eine Anmeldung bei { $application } von einem Ort, der bisher nicht benutzt wurde: Adresse { $address }, { $at }.
