# Anmelden und die erste Einrichtung.
login-title = Anmelden
login-for = weiter zu
login-next = Weiter
login-other = Als jemand anders anmelden
log-in = Anmelden
field-username = Benutzername
field-password = Passwort
field-email-optional = E-Mail-Adresse (freiwillig)
field-new-password = Neues Passwort
field-password-again = Neues Passwort, noch einmal
password-hint = Mindestens 8 Zeichen. Ein paar Wörter hintereinander merkt man sich leicht, und sie sind schwer zu raten.
code-title = Ihr Code
code-lead = Anmelden als
remember-device = { $count ->
    [one] In diesem Browser einen Tag lang nicht nach dem Code fragen
   *[other] In diesem Browser { $count } Tage lang nicht nach dem Code fragen
 }
recovery-instead = Telefon verloren? Wiederherstellungscode benutzen
field-recovery-code = Wiederherstellungscode
recovery-hint = Sechzehn Buchstaben und Ziffern von der Liste, die Sie aufgehoben haben. Jeder gilt einmal.
recovery-use = Wiederherstellungscode benutzen
going-on-title = Sie sind angemeldet
going-on-lead = Die Anwendung öffnet sich gleich. Wenn nicht, gehen Sie von Hand weiter.
gone-title = Sie sind abgemeldet
gone-lead = Die Anwendung öffnet sich gleich. Wenn nicht, gehen Sie von Hand weiter.
end-session-title = Auch hier abmelden?
end-session-application = Sie kommen von
end-session-user = Hier angemeldet als
end-session-others = Solange Sie hier angemeldet sind, können Anwendungen Sie ohne Code anmelden. Bei anderen Anwendungen bleiben Sie angemeldet.
end-session-no-way-back = Sie werden nicht zur Anwendung zurückgeschickt:
end-session-stay = Angemeldet bleiben
authorize-title = Weiter zur Anwendung?
authorize-application = Sie sind auf dem Weg zu
authorize-user = Angemeldet als
authorize-tells = Die Anwendung erfährt, dass Sie angemeldet sind. Wenn sie dafür eingetragen ist, erfährt sie auch Ihren Namen, Ihre E-Mail-Adresse und Ihre Gruppen.
authorize-powers = Sie möchte hier auch an Ihrer Stelle handeln:
power-sessions = Ihre Sitzungen sehen und beenden
power-factors = Ihre Authentifikatoren sehen, hinzufügen und entfernen
power-factors-all = die Authentifikatoren aller Benutzer verwalten
power-factors-read = die Authentifikatoren aller Benutzer sehen
power-users = Benutzer und ihre Zugriffe verwalten
power-users-read = alle Benutzer sehen
power-clients = Anwendungen und Signaturschlüssel verwalten
power-clients-read = Anwendungen und Signaturschlüssel sehen
power-audit = das Protokoll lesen
power-audit-read = das Protokoll lesen
authorize-back = Zurück zur Anwendung
again-title = Bestätigen Sie, dass Sie es sind
again-lead = Dafür braucht es einen Code, der höchstens ein paar Minuten alt ist.
steps = Schritte
step-password = Passwort
step-phone = Telefon
step-recovery = Wiederherstellungscodes
welcome-title = Willkommen
welcome-lead = Wählen Sie ein Passwort für
welcome-first-title = Countersign einrichten
welcome-first-lead = Sie legen jetzt den ersten Administrator an. In drei Schritten: ein Passwort, Ihr Telefon und Wiederherstellungscodes.
enrol-title = Telefon verbinden
enrol-lead = Als Nächstes sehen Sie einen QR-Code, dieses eine Mal. Halten Sie eine Authentifikator-App auf dem Telefon bereit.
enrol-begin = QR-Code zeigen
enrol-scan = Scannen Sie das mit der Authentifikator-App auf Ihrem Telefon. Tippen Sie dann die sechs Ziffern ein, die sie zeigt.
enrol-open = Auf diesem Telefon: in der App öffnen
enrol-open-phone = Auf diesem Gerät in der Telefon-App öffnen
enrol-one-tap = Sie können auch mit einem Tipp in der Telefon-App von Countersign bestätigen. Um hier weiterzumachen, tippen Sie den nächsten Code ein, den sie zeigt.
enrol-type = Keine Kamera? Eintippen
enrol-account = Konto
enrol-issuer = Aussteller
enrol-secret = Geheimnis
enrol-once = Es wird nur jetzt gezeigt. Niemand kann es später nachsehen.
enrol-confirm = Bestätigen
enrol-kept = Ihre App hat den Eintrag noch: Versuchen Sie den Code, den sie jetzt zeigt. Wenn Sie nicht gescannt haben, beginnen Sie neu mit einem anderen QR-Code.
enrol-anew = Neuen QR-Code zeigen
qr-label = QR-Code mit dem Geheimnis für Ihre Authentifikator-App
codes-title = Ihre Wiederherstellungscodes
codes-lead = Jeder davon ersetzt einmal Ihr Telefon. Heben Sie sie dort auf, wo Sie sie ohne Telefon finden.
codes-once = Sie werden nur jetzt gezeigt.
codes-download = Herunterladen
codes-print = Drucken
codes-kept = Ich habe sie aufgehoben
code-fresh-title = Ein neuer Wiederherstellungscode
code-fresh-lead = Er tritt an die Stelle des eben benutzten. Setzen Sie ihn auf Ihre Liste.
said-login-expired = Das hat zu lange gedauert. Melden Sie sich noch einmal an.
said-logged-out = Sie sind abgemeldet.
said-logged-out-everywhere = Sie sind überall abgemeldet.
error-password = Benutzername oder Passwort ist falsch.
error-code = Dieser Code ist falsch. Versuchen Sie den, den Ihre App jetzt zeigt.
error-code-used = Dieser Code wurde schon benutzt. Warten Sie auf den nächsten.
error-first-code = Dieser Code passt nicht. Versuchen Sie den, den Ihre App jetzt zeigt, und prüfen Sie die Uhr des Telefons.
error-recovery-code = Dieser Wiederherstellungscode ist falsch oder wurde schon benutzt.
error-locked = Dieses Konto ist gesperrt. Ein Administrator kann es entsperren; ein Wiederherstellungscode kann helfen.
error-now = Das geht gerade nicht. Versuchen Sie es gleich noch einmal.
error-wait-seconds = { $count ->
    [one] Zu viele Versuche. Versuchen Sie es in einer Sekunde wieder.
   *[other] Zu viele Versuche. Versuchen Sie es in { $count } Sekunden wieder.
 }
error-wait-minutes = { $count ->
    [one] Zu viele Versuche. Versuchen Sie es in einer Minute wieder.
   *[other] Zu viele Versuche. Versuchen Sie es in { $count } Minuten wieder.
 }
error-field-otp = Ein Code hat 6 bis 8 Ziffern.
error-field-recovery-code = Ein Wiederherstellungscode hat sechzehn Buchstaben und Ziffern.
error-field-username = Dieser Benutzername geht nicht: 1 bis 128 Zeichen, kein Doppelpunkt, kein Leerzeichen am Anfang oder Ende.
error-field-email = Das ist keine E-Mail-Adresse.
error-field-password = Das Passwort ist zu kurz (mindestens 8 Zeichen) oder zu lang.
error-field-password-again = Die beiden neuen Passwörter sind nicht gleich.
error-field-current = Das jetzige Passwort ist falsch.
error-field-label = Ein Name hat 1 bis 64 Zeichen.
