# Benutzer und was mit ihnen getan wird.
nav-approvals = Freigaben
refused-last-administrator = Das ist der letzte Administrator. Machen Sie zuerst jemand anderen dazu.
users-add = Benutzer anlegen
users-invite-several = Mehrere einladen
users-import = Importieren
users-search = Name oder E-Mail-Adresse beginnt mit
users-find = Suchen
users-all = Alle Benutzer
users-none = Niemand passt.
users-none-yet = Bisher niemand. Die nächste Seite sucht weiter.
users-stopped = Für diese Seite wurden { $count } Benutzer durchgesehen. Die nächste Seite sucht weiter.
users-invite-now = Jetzt eine Einladung senden
column-name = Name
column-email = E-Mail
column-role = Rolle
column-enrolment = Einrichtung
column-authenticators = Authentifikatoren
column-last-used = Zuletzt benutzt
column-line = Zeile
user-active = Aktiv
user-locked = Deaktiviert
enrolment-active = Authentifikator in Gebrauch
enrolment-pending = Wartet auf den ersten Code
enrolment-none = Kein Authentifikator
pages = Seiten
page-first = Zurück zur ersten Seite
page-next = Nächste Seite
user-about = Angaben
user-no-email = Keine. Diese Person ist per E-Mail nicht erreichbar.
user-created = Angelegt
user-language = Sprache
user-language-browser = Wie im Browser
user-failures = Falsche Codes in Folge
user-waits-for-help = Codes zählen erst wieder, wenn jemand entsperrt
user-waits-until = Codes zählen wieder ab
user-groups = Gruppen
user-no-groups = Keine
user-invited-until = Einladung gilt bis
user-reset-until = Zurücksetzen wartet auf Freigabe bis
user-actions = Aktionen
user-unlock = Entsperren
user-enable = Aktivieren
user-invite = Einladung senden
user-audit = Alles zu diesem Benutzer im Protokoll
user-no-authenticators = Kein Authentifikator.
user-no-sessions = Nirgends angemeldet.
link-title = Einladungslink
link-no-address = Für { $name } ist keine E-Mail-Adresse bekannt, deshalb wurde nichts gesendet. Geben Sie diesen Link auf sicherem Weg weiter.
link-once = Wer ihn hat, setzt das Passwort. Er wird nur dieses eine Mal gezeigt und gilt bis
deed-reset-title = Einrichtung von { $name } zurücksetzen?
deed-reset-what = Alle Authentifikatoren und Wiederherstellungscodes von { $name } werden ungültig, und alle Sitzungen enden.
deed-reset-next = Bei der nächsten Anmeldung wird ein neues Telefon verbunden. Bis dahin genügt dafür das Passwort.
deed-reset-approval = Sie bitten darum. Es geschieht, wenn eine andere Person es innerhalb eines Tages freigibt.
deed-reset-button = Einrichtung zurücksetzen
deed-disable-title = { $name } deaktivieren?
deed-disable-what = { $name } kann sich nirgends mehr anmelden, und alle Sitzungen enden jetzt.
deed-disable-back = Sie können das Konto wieder aktivieren. Authentifikatoren und Passwort bleiben, eine wartende Einladung nicht.
deed-disable-button = Deaktivieren
deed-end-sessions-title = Alle Sitzungen von { $name } beenden?
deed-end-sessions-what = { $name } wird in allen Anwendungen und Browsern abgemeldet und meldet sich neu an.
deed-end-sessions-button = Sitzungen beenden
deed-remove-title = { $name } entfernen?
deed-remove-what = Das Konto von { $name } wird jetzt gelöscht, mit allen Authentifikatoren, Sitzungen und Wiederherstellungscodes.
deed-remove-forever = Das lässt sich nicht rückgängig machen. Das Protokoll behält, was geschah.
deed-remove-button = Benutzer entfernen
deed-role-title = Rolle von { $name } ändern?
deed-role-what = Alle Sitzungen von { $name } enden, und die neue Rolle gilt ab der nächsten Anmeldung.
deed-role-becomes = Die neue Rolle ist: { $role }
deed-role-user = Benutzer verwalten nur ihre eigenen Authentifikatoren.
deed-role-helpdesk = Der Helpdesk sieht Benutzer, entsperrt sie und setzt jene zurück, die nichts verwalten.
deed-role-auditor = Prüfer lesen alles und ändern nichts.
deed-role-admin = Administratoren dürfen alles, auch mit Ihrem Konto.
deed-role-button = Rolle ändern
deed-own = Das ist Ihr eigenes Konto.
approvals-waiting = { $count ->
    [one] Ein Zurücksetzen wartet auf eine zweite Person.
   *[other] { $count } Mal wartet ein Zurücksetzen auf eine zweite Person.
 }
approvals-lead = Der Helpdesk hat um dieses Zurücksetzen gebeten. Eine andere Person entscheidet innerhalb eines Tages; wer gebeten hat, kann es nicht.
approvals-none = Nichts wartet.
approvals-asked-by = Erbeten von { $name }
approvals-until = gilt bis
approvals-own = Sie haben darum gebeten, deshalb entscheidet jemand anderes.
approve = Freigeben
approve-label = Zurücksetzen von { $name } freigeben
approve-title = Zurücksetzen von { $name } freigeben?
approve-asked = { $name } hat darum gebeten.
approve-button = Zurücksetzen freigeben
decline = Ablehnen
decline-label = Zurücksetzen von { $name } ablehnen
import-title = Benutzer importieren
import-lead = Fügen Sie eine Liste ein, sehen Sie nach, was geschehen würde, und legen Sie dann alle auf einmal an. Wer schon da ist, bleibt unverändert.
import-file = CSV-Datei
import-list = Liste
import-hint = Die erste Zeile nennt die Spalten: name und, wenn Sie möchten, email und role, in beliebiger Reihenfolge. Höchstens 5.000 Benutzer.
import-invite = Einladungen an alle mit E-Mail-Adresse senden
import-preview = Erst ansehen
import-edit = Liste ändern
import-guessed = Diese Datei ist nicht in UTF-8. Sie wurde als Windows-1252 gelesen: Sehen Sie nach, ob Namen mit Akzenten und Umlauten stimmen.
import-preview-title = Das würde geschehen
import-done-title = Das wurde getan
import-apply = Anlegen
import-all-or-nothing = Noch hat sich nichts geändert. Entweder werden alle Neuen angelegt oder, wenn etwas misslingt, niemand.
import-unreadable = Die Liste ist nicht brauchbar. { $why }
import-will-count = { $count ->
    [one] Ein Benutzer wird angelegt.
   *[other] { $count } Benutzer werden angelegt.
 }
import-done-count = { $count ->
    [one] Ein Benutzer wurde angelegt.
   *[other] { $count } Benutzer wurden angelegt.
 }
import-exists-count = { $count ->
    [one] Einer ist schon da.
   *[other] { $count } sind schon da.
 }
import-wrong-count = { $count ->
    [one] Eine Zeile ist fehlerhaft und wird ausgelassen.
   *[other] { $count } Zeilen sind fehlerhaft und werden ausgelassen.
 }
import-will-added = Wird angelegt
import-will-invited = Wird angelegt und eingeladen
import-will-no-address = Wird angelegt; ohne Adresse keine Einladung
import-done-added = Angelegt
import-done-invited = Angelegt und eingeladen
import-done-no-address = Angelegt; ohne Adresse keine Einladung
import-exists = Schon da
import-wrong-columns = Die Zeile hat mehr oder weniger Spalten als die erste
import-wrong-unreadable = Enthält ein Zeichen, das nicht gelesen werden konnte. Speichern Sie die Liste als UTF-8
import-wrong-name = Spalte name: das kann kein Name sein
import-wrong-twice = Spalte name: steht schon in Zeile { $line }
import-wrong-email = Spalte email: das ist keine E-Mail-Adresse
import-wrong-role = Spalte role: user, helpdesk, auditor oder admin
import-wrong-role-reach = Spalte role: diese Rolle dürfen Sie nicht vergeben
said-user-added = Der Benutzer ist angelegt.
said-user-added-invited = Der Benutzer ist angelegt, und die Einladung ist unterwegs.
said-user-invited = Die Einladung ist unterwegs. Ältere gelten nicht mehr.
said-invite-disabled = Niemand wurde eingeladen: Das Konto ist deaktiviert. Aktivieren Sie es zuerst.
said-user-unlocked = Der Benutzer ist entsperrt.
said-user-disabled = Das Konto ist deaktiviert, und alle Sitzungen sind beendet.
said-user-removed = Der Benutzer ist entfernt.
said-sessions-ended = Alle Sitzungen sind beendet.
said-email-changed = Die E-Mail-Adresse ist gespeichert.
said-role-changed = Die Rolle ist geändert.
said-reset-done = Die Einrichtung ist zurückgesetzt.
said-reset-nothing = Es gab nichts mehr zurückzusetzen.
said-reset-waits = Eine andere Person muss das Zurücksetzen innerhalb eines Tages freigeben.
said-reset-approved = Sie haben das Zurücksetzen freigegeben, und es ist geschehen.
said-reset-declined = Sie haben das Zurücksetzen abgelehnt. Nichts wurde geändert.
said-approval-over = Das wartet nicht mehr: jemand anderes hat entschieden, oder der Tag ist vorbei.
action-reset-asked = Um Zurücksetzen gebeten
action-reset-approved = Zurücksetzen freigegeben
action-reset-declined = Zurücksetzen abgelehnt
action-users-imported = Benutzer importiert
