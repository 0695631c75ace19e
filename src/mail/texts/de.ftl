# Mails an Leute, die verwalten. Eine Zeile Text ist eine Zeile der Mail.

role-viewer = Leserecht
role-editor = Bearbeitung
role-publisher = Veröffentlichung
role-owner = Inhaber

invitation-subject = Einladung zur Arbeit an „{ $tenant }“
invitation-text =
    Guten Tag,

    { $by } lädt Sie ein, im Persona-Gateway an „{ $tenant }“ mitzuarbeiten. Ihre Rolle: { $role }.

    Mit diesem Link treten Sie bei:
    { $link }

    Er gilt einmal und bis { $until }. Wenn Sie diese Mail nicht erwartet haben, tun Sie nichts.

    { $gateway }

password-reset-subject = Ein neues Passwort für das Persona-Gateway
password-reset-text =
    Guten Tag,

    jemand möchte ein neues Passwort für Ihr Konto im Persona-Gateway.

    Wenn Sie das waren, wählen Sie es hier:
    { $link }

    Der Link gilt einmal und { $minutes } Minuten lang. Wenn Sie das nicht waren, tun Sie nichts: Ihr Passwort bleibt, wie es ist.

    { $gateway }

password-changed-subject = Ihr Passwort für das Persona-Gateway wurde geändert
password-changed-text =
    Guten Tag,

    Ihr Passwort für das Persona-Gateway wurde soeben mit einem Link für ein neues Passwort geändert. Sie wurden überall abgemeldet.

    Wenn Sie das nicht waren, fordern Sie sofort ein neues an und sagen Sie es denen, die Ihren Mandanten verwalten:
    { $gateway }/console/forgotten

measure-sessionsPerDay = Sitzungen am Tag
measure-sessionsPerMonth = Sitzungen im Monat
measure-minutesPerDay = Minuten am Tag
measure-minutesPerMonth = Minuten im Monat

quota-low-subject = „{ $tenant }“: vier Fünftel eines Kontingents sind verbraucht
quota-low-text =
    Guten Tag,

    die Nutzer von „{ $tenant }“ haben vier Fünftel dessen verbraucht, was sie haben dürfen:

    { $quota }: { $left } von { $most } übrig, bis { $until }.

    Ist nichts mehr übrig, bekommen sie bis dahin keine Sitzungen. Wie es weitergeht, und das Kontingent selbst:
    { $gateway }/console
