GET ws://example.com/ HTTP/1.1
Host: example.com

