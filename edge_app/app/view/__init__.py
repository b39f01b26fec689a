"""The live page: a subscriber like any other, which shows what it hears in a browser.

    hub.py      hears the stream once, and keeps the newest for each page
    server.py   the page, its WebSocket and the labels, behind a guard
    access.py   where it listens, and who may come in
    labels.py   the labels of the running app, over its control socket
    save.py     the last minute as a recording
    process.py  a process beside the app, for `edge-app run --view`
    page/       what the browser gets: plain HTML, CSS and modules

It shows poses and labels, never a picture; nothing is loaded from anywhere else.
"""
