# The frame of every page, and what all pages share.
product = Persona gateway
skip = To the content
menu = Menu
tenant = Tenant
switch = Switch
to-start = To the overview

nav-start = Start
nav-write = Write
nav-watch = Watch
nav-settings = Settings
nav-operator = Installation

role-viewer = viewer
role-editor = editor
role-publisher = publisher
role-owner = owner

sign-in = Sign in
sign-out = Sign out
email = E-mail address
password = Password
sign-in-failed = The e-mail address or the password is wrong, or the account may not sign in.
sign-in-incomplete = Fill in the e-mail address and the password.
sign-in-too-often = Too many attempts. Wait a minute, then try again.
sign-in-which-tenant = You belong to several tenants. Choose one, and type the password again.
said-signed-out = You are signed out.

refusal-400 = This could not be read
refusal-403 = You may not do this
refusal-404 = There is nothing here
refusal-409 = This does not go together
refusal-412 = Somebody changed this meanwhile
refusal-421 = The console is not at this address
refusal-422 = Something is missing or wrong
refusal-429 = Too many requests
refusal-500 = Something failed
refusal-503 = Not possible right now
refusal-wait = Wait { $seconds } seconds, then try again.
refusal-number = If you ask for help, tell this number: { $number }

overview = Overview

## Personas and snippets

## Contexts

## Sessions and users

## Refusals and audit

## Catalogue and policy

## Issuers, keys and people

## Bundles

## Installation
