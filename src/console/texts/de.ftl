# The frame of every page, and what all pages share.
product = Persona-Gateway
skip = Zum Inhalt
menu = Menü
tenant = Mandant
switch = Wechseln
to-start = Zur Übersicht

nav-start = Start
nav-write = Schreiben
nav-watch = Beobachten
nav-settings = Einstellungen
nav-operator = Installation

role-viewer = Leserecht
role-editor = Bearbeitung
role-publisher = Veröffentlichung
role-owner = Inhaber

sign-in = Anmelden
sign-out = Abmelden
email = E-Mail-Adresse
password = Passwort
sign-in-failed = E-Mail-Adresse oder Passwort sind falsch, oder das Konto darf sich nicht anmelden.
sign-in-incomplete = E-Mail-Adresse und Passwort ausfüllen.
sign-in-too-often = Zu viele Versuche. Eine Minute warten, dann noch einmal versuchen.
sign-in-which-tenant = Sie gehören zu mehreren Mandanten. Wählen Sie einen und geben Sie das Passwort noch einmal ein.
said-signed-out = Sie sind abgemeldet.

refusal-400 = Das war nicht zu lesen
refusal-403 = Das dürfen Sie nicht
refusal-404 = Hier ist nichts
refusal-409 = Das passt nicht zusammen
refusal-412 = Inzwischen hat jemand anderes etwas geändert
refusal-421 = Unter dieser Adresse gibt es keine Konsole
refusal-422 = Etwas fehlt oder stimmt nicht
refusal-429 = Zu viele Anfragen
refusal-500 = Etwas ist fehlgeschlagen
refusal-503 = Im Moment nicht möglich
refusal-wait = { $seconds } Sekunden warten, dann noch einmal versuchen.
refusal-number = Wenn Sie um Hilfe bitten, nennen Sie diese Nummer: { $number }

overview = Übersicht

## Personas and snippets

## Contexts

## Sessions and users

## Refusals and audit

## Catalogue and policy

## Issuers, keys and people

## Bundles

## Installation
