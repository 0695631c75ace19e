# Mails to people who administer. A line of text is a line of the mail.

role-viewer = viewer
role-editor = editor
role-publisher = publisher
role-owner = owner

invitation-subject = You are invited to work on “{ $tenant }”
invitation-text =
    Hello,

    { $by } invites you to work on “{ $tenant }” in the persona gateway, as { $role }.

    Open this link to join:
    { $link }

    It can be used once, until { $until }. If you did not expect this mail, do nothing.

    { $gateway }

password-reset-subject = A new password for the persona gateway
password-reset-text =
    Hello,

    somebody asked for a new password for your account in the persona gateway.

    If it was you, choose one here:
    { $link }

    The link can be used once, for { $minutes } minutes. If it was not you, do nothing: your password stays as it is.

    { $gateway }

password-changed-subject = Your password for the persona gateway was changed
password-changed-text =
    Hello,

    your password for the persona gateway was changed just now, with a link for a new password. You were signed out everywhere.

    If it was not you, ask for a new password at once, and tell whoever administers your tenant:
    { $gateway }/console/forgotten

measure-sessionsPerDay = Sessions a day
measure-sessionsPerMonth = Sessions a month
measure-minutesPerDay = Minutes a day
measure-minutesPerMonth = Minutes a month

quota-low-subject = “{ $tenant }”: four fifths of a quota are used
quota-low-text =
    Hello,

    the users of “{ $tenant }” have used four fifths of what they may have:

    { $quota }: { $left } of { $most } left, until { $until }.

    When nothing is left, they get no conversations until then. How it goes on, and the quota itself:
    { $gateway }/console
