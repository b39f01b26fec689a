"""The live page: a subscriber like any other, which shows what it hears in a browser.

    hub.py      hears the stream once, and keeps the newest for each page
    server.py   the page, its WebSocket and the words, behind a guard
    door.py     where it listens, and who may come in
    words.py    the labels of the running app, over its control socket
    beside.py   a process beside the app, for `edge-app run --view`
    page/       what the browser gets: plain HTML, CSS and modules

It shows poses and labels, never a picture; nothing is loaded from anywhere else.
"""
