"""As much of HTTP/1.1 as the comparison needs, on plain sockets, so that nothing is added or tidied up."""


class Message:
    def __init__(self, start, fields):
        self.start, self.fields = start, fields
        self.body, self.trailers = b"", []

    def get(self, name):
        return next((value for field, value in self.fields if field == name), None)


class Reader:
    def __init__(self, connection):
        self._connection, self._buffer = connection, b""

    def _more(self):
        data = self._connection.recv(65536)
        self._buffer += data
        return bool(data)

    def _line(self):
        while b"\r\n" not in self._buffer:
            if not self._more():
                raise EOFError
        line, self._buffer = self._buffer.split(b"\r\n", 1)
        return line.decode("latin-1")

    def _exactly(self, count):
        while len(self._buffer) < count:
            if not self._more():
                raise EOFError
        data, self._buffer = self._buffer[:count], self._buffer[count:]
        return data

    def _fields(self):
        fields = []
        while True:
            line = self._line()
            if not line:
                return fields
            name, _, value = line.partition(":")
            fields.append((name.lower(), value.strip()))

    def message(self, to_method=None):
        """The next request; or the final response, given the method that it answers."""
        while True:
            message = Message(self._line(), self._fields())
            if to_method is None or not message.start.split(" ")[1].startswith("1"):
                break
        has_no_body = to_method == "HEAD" or (to_method and message.start.split(" ")[1] in ("204", "304"))
        if has_no_body:
            return message
        if message.get("transfer-encoding") == "chunked":
            while True:
                size = int(self._line().split(";")[0], 16)
                if size == 0:
                    message.trailers = self._fields()
                    return message
                message.body += self._exactly(size)
                self._line()
        if message.get("content-length") is not None:
            message.body = self._exactly(int(message.get("content-length")))
        elif to_method:
            while self._more():
                pass
            message.body, self._buffer = self._buffer, b""
        return message
