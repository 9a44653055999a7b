# Seiten über das System: Zahlen, Protokoll, Anwendungen, Scopes, Schlüssel, E-Mails, Einstellungen.
figure-users = Benutzer
figure-locked = Gesperrte Benutzer
figure-factors = Authentifikatoren in Benutzung
figure-sessions = Laufende Sitzungen
figure-logins = Anmeldungen heute
figure-refusals = Ablehnungen heute
figure-mails-waiting = Wartende E-Mails
figure-mails-failed = Aufgegebene E-Mails
chart-log = Anmeldungen und Ablehnungen
chart-log-title = Anmeldungen und Ablehnungen nach Tagen, die letzten 14 Tage. Die Zahlen stehen in der Tabelle darunter.
chart-factors = Authentifikatoren nach Zustand
chart-factors-title = Authentifikatoren nach Zustand. Die Zahlen stehen in der Tabelle darunter.
chart-numbers = Als Zahlen
logins = Anmeldungen
refusals = Ablehnungen
overview-hint = Höchstens jede halbe Minute gezählt. Tage gelten nach UTC.
column-day = Tag
column-setting = Einstellung
column-value = Wert
column-source = Gesetzt durch
column-recipient = Empfänger
column-kind = Anlass
column-next = Nächster Versuch oder gesendet
column-key = Schlüssel
key-of-id-tokens = für ID-Token
column-algorithm = Verfahren
column-created = Angelegt
column-activated = Signiert seit
column-retired = Bis
column-seq = Nr.
column-subject = An wem
filter = Filtern
older = Ältere
youngest = Jüngste
next-page = Nächste Seite
change = Ändern
change-label = { $name } ändern
yes = Ja
no = Nein
form-overtaken = Jemand anders hat das inzwischen geändert. Es wurde nichts gespeichert; was Sie eingegeben haben, steht noch hier. Wenn Sie jetzt speichern, ersetzt es das Gespeicherte.
form-differences = Was nicht übereinstimmt
form-stored = Jetzt gespeichert
form-typed = In diesem Formular
form-empty = (leer)
form-error = Einige Felder können so nicht übernommen werden. Was nicht stimmt, steht jeweils darunter.
code-wanted-client = Eine neue Anwendung, oder eine, die mehr darf als bisher, braucht einen Code von Ihnen. Bisher wurde nichts gespeichert.
duration-seconds = { $count ->
    [one] eine Sekunde
   *[other] { $count } Sekunden
 }
duration-minutes = { $count ->
    [one] eine Minute
   *[other] { $count } Minuten
 }
duration-hours = { $count ->
    [one] eine Stunde
   *[other] { $count } Stunden
 }
duration-days = { $count ->
    [one] ein Tag
   *[other] { $count } Tage
 }
settings-lead = Womit dieser Server läuft und was es gesetzt hat. Passwörter werden nicht angezeigt. Um eine Einstellung zu ändern, ändern Sie ihre Quelle und starten Sie den Server neu.
settings-none = Dieser Server gibt seine Einstellungen nicht an.
setting-unset = nicht gesetzt
outbox-waiting = { $count ->
    [0] Keine E-Mail wartet.
    [one] Eine E-Mail wartet.
   *[other] { $count } E-Mails warten.
 }
outbox-failed = { $count ->
    [0] Keine wurde aufgegeben.
    [one] Eine wurde aufgegeben.
   *[other] { $count } wurden aufgegeben.
 }
outbox-none = Hier ist keine E-Mail.
retry = Erneut versuchen
retry-label = Erneut an { $recipient } versuchen
retry-waiting = Alle wartenden jetzt versuchen
retry-given-up = Aufgegebene erneut versuchen
mail-waiting = Wartet
mail-sent = Gesendet
mail-failed = Aufgegeben
mailkind-invitation = Einladung
mailkind-enrolled = Telefon hinzugefügt
mailkind-factor-removed = Telefon entfernt
mailkind-reset = Anmeldung zurückgesetzt
mailkind-locked = Konto gesperrt
mailkind-password-changed = Passwort geändert
mailkind-recovery-code-used = Wiederherstellungscode benutzt
mailkind-recovery-codes-low = Wenige Wiederherstellungscodes
mailkind-recovery-codes-renewed = Wiederherstellungscodes neu erzeugt
mailkind-new-device = Anmeldung von neuem Ort
said-mail-retried = Die E-Mail wird jetzt erneut versucht.
said-mails-retried = Alle wartenden E-Mails werden jetzt versucht.
said-given-up-retried = Die aufgegebenen E-Mails werden jetzt erneut versucht.
given-up-title = Aufgegebene E-Mails erneut versuchen?
given-up-mails = { $count ->
    [0] Keine davon führt noch irgendwohin.
    [one] Eine E-Mail wird jetzt gesendet, wie alt sie auch ist.
   *[other] { $count } E-Mails werden jetzt gesendet, wie alt sie auch sind.
 }
given-up-void = { $count ->
    [one] Eine Einladung bleibt liegen: Ihr Link ist benutzt, ungültig oder abgelaufen.
   *[other] { $count } Einladungen bleiben liegen: Ihre Links sind benutzt, ungültig oder abgelaufen.
 }
given-up-button = Senden
keys-lead = Der aktuelle Schlüssel signiert Zugriffstoken. Der nächste ist schon veröffentlicht, damit Anwendungen ihn kennen, wenn er übernimmt. Token eines abgelösten Schlüssels bleiben bis zu ihrem Ablauf gültig.
keys-lead-id-tokens = ID-Token, die einer Anwendung sagen, wer sich angemeldet hat, signiert ein eigener Schlüssel.
key-next = Nächster
key-current = Aktuell
key-retired = Abgelöst
key-revoked = Widerrufen
rotate-title = Wechseln
rotate-what = Ab jetzt signiert der nächste Schlüssel, und ein neuer nächster wird erzeugt. Auch der Schlüssel für ID-Token wird ersetzt. Nichts, was vorher signiert wurde, wird ungültig.
rotate-algorithm = Verfahren des neuen Schlüssels
rotate-same = Wie bisher
rotate-button = Jetzt wechseln
revoke-key-section = Notfall
revoke-key-lead = Falls jemand anderes einen Schlüssel haben könnte, widerrufen Sie ihn, auch einen abgelösten: Alles, was er signiert hat, wird ungültig. Wer die Datenbank und den Hauptschlüssel haben könnte, hat jeden Schlüssel, auch den nächsten: Dann widerrufen Sie alle.
revoke-key-link = Wechseln und den Schlüssel der Zugriffstoken widerrufen
revoke-keys-link = Alle Schlüssel widerrufen
revoke-this-key = Widerrufen
revoke-this-key-of = Den Schlüssel { $key } widerrufen
revoke-keys-title = Alle Signaturschlüssel widerrufen?
revoke-keys-tokens = Jedes signierte Token, das es gibt, ist ab jetzt bei allen Anwendungen ungültig.
revoke-keys-next = Neue Schlüssel werden erzeugt, und einer von ihnen signiert ab jetzt.
revoke-keys-button = Alle Schlüssel widerrufen
revoke-key-title = Den Signaturschlüssel { $key } widerrufen?
revoke-key-tokens = Jedes signierte Token, das er gemacht hat, ist ab jetzt bei allen Anwendungen ungültig.
revoke-key-next = Ab jetzt signiert der nächste Schlüssel.
revoke-id-token-key-next = Das nächste ID-Token signiert ein anderer Schlüssel.
revoke-next-key-next = Ein neuer nächster Schlüssel wird erzeugt.
revoke-key-checks = Anwendungen, die Token selbst prüfen, erfahren davon aus der Widerrufsliste, einige Minuten später.
revoke-key-when = Das lässt sich nicht rückgängig machen. Ist der Schlüssel nicht in Gefahr, wechseln Sie ihn nur.
revoke-key-button = Schlüssel widerrufen
said-keys-rotated = Ab jetzt signiert der nächste Schlüssel.
said-keys-too-young = Es wurde nichts getan. Der nächste Schlüssel ist jünger als zehn Minuten, darum kennt ihn noch nicht jede Anwendung. Warten Sie, und wechseln Sie dann.
said-key-revoked = Der Schlüssel ist widerrufen.
said-keys-revoked = Alle Schlüssel sind widerrufen, ein neuer signiert.
scopes-lead = Eine Regel verschärft, was die Token einer Anwendung dürfen. Einen Scope ohne Regel regelt allein die Anwendung.
scopes-none = Noch keine Regeln.
scope-add = Regel hinzufügen
scope-new-title = Eine neue Regel
scope-title = Regel von { $name }
scope-name = Scope
scope-name-hint = Wie Anwendungen ihn anfordern, ohne Leerzeichen.
scope-description = Beschreibung
scope-description-hint = Was er erlaubt, in Worten für Menschen.
scope-audience = Empfänger der Token (Audience)
scope-audience-hint = Eine URI: Nur Token für sie erhalten den Scope. Leer: beliebig.
scope-token_ttl = Token gelten höchstens
scope-token_ttl-hint = In Sekunden. Leer: so lange wie bei der Anwendung.
scope-max_age = Anmeldungen sind höchstens so alt
scope-max_age-hint = In Sekunden. Leer: beliebig alt.
scope-acr = Wie der Benutzer angemeldet ist
scope-one-use = Token damit gelten einmal
scope-by-grant = Nur für Benutzer, denen Zugriff gegeben wurde
acr-any = Beliebig
acr-pwd = Mindestens mit Passwort
acr-recovery = Mindestens mit Wiederherstellungscode
acr-otp = Mit Code eines Authentifikators
rule-audience = nur für { $audience }
rule-token-ttl = Token gelten höchstens { $time }
rule-max-age = Anmeldungen höchstens { $time } alt
rule-one-use = einmal gültig
rule-by-grant = nur mit gegebenem Zugriff
rule-none = Keine Grenzen
error-scope-name = Ein Scope ist ein Wort aus sichtbaren ASCII-Zeichen ohne Anführungszeichen und Backslash.
scope-gone = Jemand anders hat diese Regel inzwischen entfernt. Es wurde nichts gespeichert; was Sie eingegeben haben, steht noch hier. Wenn Sie jetzt speichern, gibt es die Regel wieder.
error-scope-taken = Dieser Scope hat schon eine Regel. Ändern Sie diese.
error-scope-description = Die Beschreibung ist zu lang (höchstens 1000 Byte).
error-scope-audience = Das ist keine absolute URI, oder sie hat ein Fragment.
error-scope-token-ttl = Eine Anzahl Sekunden, 1 bis 2592000 (dreißig Tage).
error-scope-max-age = Eine Anzahl Sekunden, 1 bis 2592000 (dreißig Tage).
error-scope-by-grant = Ein Scope der Verwaltung kommt mit einer Rolle, nicht durch eine Freigabe.
error-scope-acr = Diese Art der Anmeldung gibt es nicht.
remove-scope-title = Die Regel von { $name } entfernen?
remove-scope-what = Ab jetzt begrenzt nur noch die Registrierung der Anwendung { $name }.
remove-scope-wider = Token mit { $name } können länger gelten und weiter reichen als zuvor.
remove-scope-grants = Ließ die Regel { $name } nur Benutzern mit gegebenem Zugriff, können es dann alle Benutzer einer solchen Anwendung haben.
remove-scope-button = Regel entfernen
said-scope-saved = Die Regel ist gespeichert und gilt ab jetzt.
said-scope-removed = Die Regel ist entfernt.
clients-lead = Programme, die hier Menschen anmelden oder über die Schnittstelle verwalten.
clients-none = Noch keine Anwendung.
clients-all = Alle Anwendungen
client-add = Anwendung hinzufügen
client-new-title = Eine neue Anwendung
client-edit-title = { $name } ändern
client-active = Aktiv
client-disabled = Deaktiviert
client-registration = Registrierung
client-policy = Token und Sitzungen
client-id = Client-ID
client-issuer = Aussteller (dieser Server)
client-secret = Geheimnis
client-name = Name
client-name-hint = 1 bis 100 sichtbare ASCII-Zeichen. Er lässt sich später nicht ändern.
client-grants = Wege zu einem Token
grant-password = Name und Passwort, dann ein Code
grant-mfa-otp = Code nach dem Passwort
grant-otp = Nur Name und Code: Die Anwendung prüft den ersten Faktor
grant-mfa-recovery-code = Wiederherstellungscode nach dem Passwort
grant-authorization-code = Anmeldung im Browser (OpenID Connect)
grant-refresh-token = Erneuerungstoken: Sitzungen werden verlängert
grant-client-credentials = Für sich selbst, ohne Benutzer
client-scope = Scopes
client-scope-hint = Was sie anfordern darf, durch Leerzeichen getrennt.
client-audiences = Empfänger der Token (Audiences)
client-audiences-hint = URIs der Dienste, für die ihre Token sind, eine je Zeile. Leer: nur dieser Server.
client-redirect_uris = Rücksprungadressen
client-redirect_uris-hint = Wohin Browser zurückgeschickt werden dürfen, so wie die Anwendung sie sendet, eine je Zeile. Für Anmeldungen im Browser.
client-detail_types = Arten von Zugriffsdetails
client-detail_types-hint = Arten von authorization_details (RFC 9396), die sie anfordern darf, eine je Zeile.
client-token_format = Zugriffstoken
format-jwt = Signiert (JWT): Jeder kann sie prüfen
format-opaque = Opak: Dieser Server wird jedes Mal gefragt
client-one-use = Einmal gültig
client-one-use-tick = Jedes Token gilt einmal (nur opake Token)
client-token-lifetime = Token gelten
client-token_ttl = Token gelten
client-token_ttl-hint = In Sekunden, höchstens dreißig Tage (2592000).
client-idle = Sitzungen enden ohne Erneuerung nach
client-session_idle = Sitzungen enden ohne Erneuerung nach
client-session_idle-hint = In Sekunden, höchstens ein Jahr (31536000).
client-lasts = Sitzungen enden spätestens nach
client-session_ttl = Sitzungen enden spätestens nach
client-session_ttl-hint = In Sekunden, höchstens ein Jahr (31536000).
client-second_factor = Zweiter Faktor
second-required = Verlangt: Wer keinen hat, richtet ihn erst ein
second-optional = Freiwillig: Wer keinen hat, meldet sich mit Passwort an
client-disable = Deaktivieren
client-enable = Aktivieren
secret-title = { $name } ist registriert
secret-lead = Geben Sie diese drei der Anwendung. Das Übrige findet sie beim Aussteller.
secret-once = Das Geheimnis wird nur jetzt angezeigt. Niemand kann es später nachsehen.
secret-kept = Ich habe es aufbewahrt
error-client-name = 1 bis 100 sichtbare ASCII-Zeichen, kein Leerzeichen am Anfang oder Ende.
error-client-name-is-id = Ein Name kann keine UUID sein: Das sind die IDs.
error-client-taken = Es gibt schon eine Anwendung mit diesem Namen.
error-client-grants = Wählen Sie mindestens einen.
error-client-scope = Scopes sind Wörter aus sichtbaren ASCII-Zeichen ohne Anführungszeichen und Backslash, zusammen höchstens 1000 Zeichen.
error-client-audiences = Eine davon ist keine absolute URI oder hat ein Fragment.
error-client-redirect-uris = Eine Anmeldung im Browser braucht mindestens eine. Jede muss eine https-URI (http auf localhost) ohne Fragment, Benutzernamen und * sein.
error-client-detail-types = Eine davon kann keine Art sein.
error-client-token-format = Token, die einmal gelten, sind opak.
error-client-token-ttl = Eine Anzahl Sekunden, 1 bis 2592000 (dreißig Tage).
error-client-session-idle = Eine Anzahl Sekunden, 1 bis 31536000 (ein Jahr).
error-client-session-ttl = Eine Anzahl Sekunden, 1 bis 31536000 (ein Jahr).
error-client-second-factor = Wählen Sie eines von beiden.
disable-client-title = { $name } deaktivieren?
disable-client-secret = { $name } kann niemanden anmelden: Sein Geheimnis gilt als falsch.
disable-client-sessions = Alle, die bei { $name } angemeldet sind, werden abgemeldet, und seine Token sind ungültig.
disable-client-after = Sie können { $name } wieder aktivieren, mit demselben Geheimnis.
disable-client-button = Anwendung deaktivieren
remove-client-title = { $name } entfernen?
remove-client-secret = Registrierung und Geheimnis von { $name } werden gelöscht. Das lässt sich nicht rückgängig machen.
remove-client-sessions = Alle, die bei { $name } angemeldet sind, werden abgemeldet, und seine Token sind ungültig.
remove-client-after = Was { $name } getan hat, bleibt im Protokoll.
remove-client-button = Anwendung entfernen
said-client-changed = Die Anwendung ist geändert.
client-gone = Jemand anders hat diese Anwendung inzwischen entfernt. Es wurde nichts gespeichert; was Sie eingegeben haben, steht noch hier. Wenn Sie jetzt speichern, wird sie neu registriert, mit einer anderen ID und einem anderen Geheimnis.
said-client-enabled = Die Anwendung ist aktiviert.
said-client-disabled = Die Anwendung ist deaktiviert, ihre Sitzungen sind beendet.
said-client-removed = Die Anwendung ist entfernt.
audit-lead = Wer was getan hat, das Jüngste zuerst.
audit-who = Benutzer oder Anwendung
audit-part = Als
part-either = Von oder an
part-actor = Handelnder
part-subject = Betroffener
audit-from = Erster Tag (UTC)
audit-until = Letzter Tag (UTC)
audit-none = Kein Eintrag ist so.
audit-stopped = Für diese Seite wurde bis zum Eintrag { $seq } zurückgesucht. „Ältere“ sucht von dort weiter.
audit-entry = Eintrag { $seq }
audit-detail = Näheres
audit-hash = Verkettet durch
audit-neighbours = Davor und danach
audit-all = Das ganze Protokoll
audit-verify = Dass nichts verändert oder entfernt wurde, beweist auf dem Server:
export = Alle diese exportieren:
party-user = Ein entfernter Benutzer
party-client = Eine Anwendung
party-factor = Authentifikator
party-group = Gruppe
party-session = Sitzung
party-signing-key = Signaturschlüssel
party-operator = Befehlszeile
party-anonymous = Niemand Bekanntes
party-system = Countersign
error-audit-action = Diese Handlung gibt es nicht.
error-audit-part = Wählen Sie eines der drei.
error-audit-outcome = Wählen Sie eines der Ergebnisse.
error-audit-from = Der erste Tag ist kein Tag des Kalenders.
error-audit-until = Der letzte Tag ist kein Tag des Kalenders.
error-audit-who = Kein Benutzer und keine Anwendung heißt so. Wer entfernt ist, wird über die Kennung gefunden, als user:ID.
action-mail-shown = E-Mail angezeigt
action-mail-retried = E-Mail erneut versucht
action-client-secret-renewed = Geheimnis der Anwendung erneuert
mail-tries = { $count ->
    [0] noch nicht versucht
    [one] einmal versucht
   *[other] { $count }-mal versucht
 }
party-console = Diese Verwaltung
client-renew-secret = Neues Geheimnis
secret-client-title = { $name } ein neues Geheimnis geben?
secret-client-secret = Das Geheimnis, das { $name } jetzt hat, ist sofort falsch: Die Anwendung kann nichts, bis sie das neue kennt.
secret-client-sessions = Sitzungen und Token bei { $name } bleiben. Wenn jemand anders das Geheimnis hatte, schalten Sie die Anwendung vorher ab.
secret-client-after = Das neue Geheimnis wird einmal gezeigt.
secret-client-button = Neues Geheimnis erzeugen
