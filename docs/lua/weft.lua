---@meta

-- What scripts of a Weft bundle find, for editors that know the Lua language server's annotations. docs/lua.md and
-- docs/lua-weft.md say what everything does, with errors and examples. A test holds this file against the host: every
-- method and function is here, and nothing else.

---Defined by a script: runs for each request on its way to the service.
---@alias weft.OnRequest fun(request: weft.Handle)
---Defined by a script: runs for each response on its way back.
---@alias weft.OnResponse fun(response: weft.Handle)
---Defined by a script: runs for each finished exchange; may not wait.
---@alias weft.OnLog fun(exchange: weft.Handle)
---Defined by a script: runs once in each worker's state, before the first of them.
---@alias weft.OnLoad fun()
---Defined by a script: runs before settings are used. Returns nothing, or what is wrong and the names and positions, from 1,
---that lead to the setting.
---@alias weft.CheckSettings fun(settings: table<string, any>): string?, (string|integer)?, ...

---Every object of an exchange can log, within the bundle's `logLines` a second.
---@class weft.Logger
local Logger = {}

---@param message string
function Logger:logTrace(message) end

---@param message string
function Logger:logDebug(message) end

---@param message string
function Logger:logInfo(message) end

---@param message string
function Logger:logWarn(message) end

---@param message string
function Logger:logErr(message) end

---@param message string
function Logger:logCritical(message) end

---An exchange, as the function that runs sees it. Of no use after the exchange.
---@class weft.Handle: weft.Logger
local Handle = {}

---The headers of the request, or in `on_response` of the response.
---@return weft.Headers
function Handle:headers() end

---The request's headers, from any function.
---@return weft.Headers
function Handle:requestHeaders() end

---The response's headers; not in `on_request`.
---@return weft.Headers
function Handle:responseHeaders() end

---The whole body; waits for it. nil without a body, unless `always`.
---@param always? boolean an empty buffer where there is no body
---@return weft.Buffer?
---@overload fun(self: weft.Handle, always: true): weft.Buffer
function Handle:body(always) end

---The pieces of the body as they come.
---@return fun(): weft.Buffer?
function Handle:bodyChunks() end

---The trailers, after the body; nil when there are none.
---@return weft.Trailers?
function Handle:trailers() end

---Answers at once. Nothing after it runs.
---@param headers table<string, string|number|string[]> with ":status", 200 to 599
---@param body? string
function Handle:respond(headers, body) end

---@class weft.HttpCallOptions
---@field timeout_ms? number
---@field asynchronous? boolean
---@field return_duplicate_headers? boolean
---@field trace_sampled? boolean
---@field send_xff? boolean

---Sends a request to a service of the manifest's `services` and waits for the answer.
---@param service string
---@param headers table<string, string|number|string[]> with ":method", ":path" and ":authority"
---@param body string?
---@param timeout_ms number|weft.HttpCallOptions 0: the longest
---@param asynchronous? boolean do not wait, there is no answer
---@return table<string, string|string[]> headers of the answer, with ":status"
---@return string? body
function Handle:httpCall(service, headers, body, timeout_ms, asynchronous) end

---What is known of the exchange.
---@return weft.StreamInfo
function Handle:streamInfo() end

---The route's metadata for this filter.
---@return weft.Metadata
function Handle:metadata() end

---The client's connection.
---@return weft.Connection
function Handle:connection() end

---What there is to know of an exchange that has ended; only in `on_log`.
---@class weft.Record
---@field status? integer missing when no response was begun
---@field duration number seconds
---@field started number seconds since 1970
---@field received_bytes integer of the request's body
---@field sent_bytes integer of the response's body
---@field method string
---@field path string
---@field authority? string
---@field protocol string
---@field scheme string
---@field flags string[] the access log's flags
---@field details? string
---@field route? string
---@field service? string
---@field listener? string
---@field attempts integer
---@field upstream? string
---@field client? string
---@field peer? string

---@return weft.Record
function Handle:record() end

---The settings of this use of the filter, read-only.
---@return table<string, any>
function Handle:settings() end

---The settings, by Envoy's name.
---@return weft.FilterContext
function Handle:filterContext() end

---@return weft.Route
function Handle:route() end

---@return weft.VirtualHost
function Handle:virtualHost() end

---What is known of the client's connection.
---@return weft.ConnectionStreamInfo
function Handle:connectionStreamInfo() end

---Metrics of the script's own, by Envoy's names.
---@return weft.Stats
function Handle:stats() end

---Waits, without holding up the worker.
---@param milliseconds number
function Handle:sleep(milliseconds) end

---Milliseconds since 1970.
---@param resolution? integer EnvoyTimestampResolution.MILLISECOND
---@return integer
function Handle:timestamp(resolution) end

---The time since 1970 as text.
---@param resolution? integer of EnvoyTimestampResolution
---@return string
function Handle:timestampString(resolution) end

---@param text string
---@return string
function Handle:base64Escape(text) end

---@param text string
---@return string? bytes nil: it is no base64
function Handle:base64Decode(text) end

---@param der string a SubjectPublicKeyInfo
---@param length integer
---@return weft.ImportedKey
function Handle:importPublicKey(der, length) end

---@param hash "sha1"|"sha224"|"sha256"|"sha384"|"sha512"
---@param key any what `get()` of an imported key gives
---@param signature string
---@param signatureLength integer
---@param data string
---@param dataLength integer
---@return boolean
---@return string? why
function Handle:verifySignature(hash, key, signature, signatureLength, data, dataLength) end

---Sends the request to this endpoint of the service. In `on_request`, before the head has gone on.
---@param host string an address, with its port
---@param strict? boolean
function Handle:setUpstreamOverrideHost(host, strict) end

---Finds the route anew, after a change to what routes match on.
function Handle:clearRouteCache() end

---Header fields. Names have no case. `:method`, `:path`, `:authority`, `:scheme` and `:status` stand for the start line.
---@class weft.Headers: weft.Logger
local Headers = {}

---The value; several of one name are joined by commas. nil: there is none.
---@param name string
---@return string?
function Headers:get(name) end

---@param name string
---@param index integer from 0
---@return string?
function Headers:getAtIndex(name, index) end

---@param name string
---@return integer
function Headers:getNumValues(name) end

---@param name string
---@param value string|number
function Headers:add(name, value) end

---@param name string
---@param value string|number
function Headers:replace(name, value) end

---@param name string
function Headers:remove(name) end

---Names and values in turn, as `pairs(headers)` does.
---@return fun(): string?, string?
function Headers:pairs() end

---Of a response over HTTP/1.
---@param reason string
function Headers:setHttp1ReasonPhrase(reason) end

---@class weft.Trailers: weft.Headers
local Trailers = {}

---A body, or a piece of one.
---@class weft.Buffer: weft.Logger
local Buffer = {}

---@return integer bytes
function Buffer:length() end

---@param index integer from 0
---@param length integer
---@return string
function Buffer:getBytes(index, length) end

---@param bytes string
---@return integer length
function Buffer:setBytes(bytes) end

---@class weft.StreamInfo: weft.Logger
local StreamInfo = {}

---@return string "HTTP/1.0" or "HTTP/1.1"
function StreamInfo:protocol() end

---@return string
function StreamInfo:routeName() end

---@return string
function StreamInfo:serviceName() end

---@return string always empty
function StreamInfo:virtualClusterName() end

---@return string
function StreamInfo:downstreamLocalAddress() end

---@return string
function StreamInfo:downstreamDirectLocalAddress() end

---The client's, as far as proxies before this one are trusted.
---@return string
function StreamInfo:downstreamRemoteAddress() end

---The other end of the connection.
---@return string
function StreamInfo:downstreamDirectRemoteAddress() end

---@return string empty before there is one
function StreamInfo:upstreamAddress() end

---@return string
function StreamInfo:requestedServerName() end

---@return string
function StreamInfo:responseCodeDetails() end

---@return string
function StreamInfo:responseFlags() end

---@return integer
function StreamInfo:attemptCount() end

---@param name string
---@return nil
function StreamInfo:dynamicTypedMetadata(name) end

---@return weft.FilterState
function StreamInfo:filterState() end

---Closes the client's connection after this exchange.
function StreamInfo:drainConnectionUponCompletion() end

---@return weft.Ssl? nil without TLS
function StreamInfo:downstreamSslConnection() end

---Values that filters of one exchange share.
---@return weft.DynamicMetadata
function StreamInfo:dynamicMetadata() end

---@class weft.DynamicMetadata: weft.Logger
local DynamicMetadata = {}

---@param filter string
---@return table<string, any>?
function DynamicMetadata:get(filter) end

---@param filter string
---@param key string
---@param value any what JSON can say
function DynamicMetadata:set(filter, key, value) end

---@return fun(table, string?): string?, table?
---@return table
function DynamicMetadata:pairs() end

---@class weft.Metadata: weft.Logger
local Metadata = {}

---@param key string
---@return any
function Metadata:get(key) end

---@return fun(table, string?): string?, any
---@return table
function Metadata:pairs() end

---@class weft.Connection: weft.Logger
local Connection = {}

---@return weft.Ssl? nil without TLS
function Connection:ssl() end

---The client's connection as TLS knows it. What is not there is an empty text or list, or 0.
---@class weft.Ssl: weft.Logger
local Ssl = {}

---@return boolean
function Ssl:peerCertificatePresented() end

---@return boolean
function Ssl:peerCertificateValidated() end

---@return string[]
function Ssl:uriSanLocalCertificate() end

---@return string
function Ssl:sha256PeerCertificateDigest() end

---@return string
function Ssl:serialNumberPeerCertificate() end

---@return string
function Ssl:issuerPeerCertificate() end

---@return string
function Ssl:subjectPeerCertificate() end

---@return weft.ParsedSubject?
function Ssl:parsedSubjectPeerCertificate() end

---@return string[]
function Ssl:uriSanPeerCertificate() end

---@return string
function Ssl:subjectLocalCertificate() end

---@return string
function Ssl:urlEncodedPemEncodedPeerCertificate() end

---@return string
function Ssl:urlEncodedPemEncodedPeerCertificateChain() end

---@return string[]
function Ssl:dnsSansPeerCertificate() end

---@return string[]
function Ssl:dnsSansLocalCertificate() end

---@return string[]
function Ssl:oidsPeerCertificate() end

---@return string[]
function Ssl:oidsLocalCertificate() end

---@return integer seconds since 1970
function Ssl:validFromPeerCertificate() end

---@return integer seconds since 1970
function Ssl:expirationPeerCertificate() end

---@return string
function Ssl:sessionId() end

---@return string
function Ssl:ciphersuiteId() end

---@return string
function Ssl:ciphersuiteString() end

---@return string
function Ssl:tlsVersion() end

---@class weft.ParsedSubject: weft.Logger
local ParsedSubject = {}

---@return string
function ParsedSubject:commonName() end

---@return string[]
function ParsedSubject:organizationName() end

---@class weft.FilterContext: weft.Logger
---@field [string] any
local FilterContext = {}

---@param name string
---@return any
function FilterContext:get(name) end

---@return fun(table, string?): string?, any
---@return table
function FilterContext:pairs() end

---@class weft.Route: weft.Logger
local Route = {}

---@return weft.Metadata
function Route:metadata() end

---@class weft.VirtualHost: weft.Logger
local VirtualHost = {}

---@return weft.Metadata
function VirtualHost:metadata() end

---@class weft.FilterState: weft.Logger
local FilterState = {}

---@param name string
---@param field? string
---@return nil
function FilterState:get(name, field) end

---@class weft.ConnectionStreamInfo: weft.Logger
local ConnectionStreamInfo = {}

---@return weft.DynamicMetadata
function ConnectionStreamInfo:dynamicMetadata() end

---@param name string
---@return nil
function ConnectionStreamInfo:dynamicTypedMetadata(name) end

---@class weft.Stats: weft.Logger
local Stats = {}

---@param name string
---@return weft.Counter
function Stats:counter(name) end

---@param name string
---@return weft.Gauge
function Stats:gauge(name) end

---@param name string
---@param unit? "ms"|"milliseconds"|"microseconds"|"nanoseconds"|"bytes"|"unspecified"
---@return weft.Histogram
function Stats:histogram(name, unit) end

---@class weft.Counter: weft.Logger
local Counter = {}

function Counter:inc() end

---@param amount integer
function Counter:add(amount) end

---@return integer of this worker
function Counter:value() end

---@class weft.Gauge: weft.Logger
local Gauge = {}

function Gauge:inc() end

function Gauge:dec() end

---@param amount integer
function Gauge:add(amount) end

---@param amount integer
function Gauge:sub(amount) end

---@param value integer
function Gauge:set(value) end

---@return integer of this worker
function Gauge:value() end

---@class weft.Histogram: weft.Logger
local Histogram = {}

---@param value integer
function Histogram:recordValue(value) end

---@class weft.ImportedKey: weft.Logger
local ImportedKey = {}

---@return any nil: it was no key
function ImportedKey:get() end

---Units of `timestamp` and `timestampString`.
EnvoyTimestampResolution = {}
EnvoyTimestampResolution.MILLISECOND = 0
EnvoyTimestampResolution.MICROSECOND = 1

-- Of `os` scripts have these; the editor's own definitions of it are switched off.

os = {}

---@return number seconds of processor time
function os.clock() end

---@param format? string
---@param time? integer seconds since 1970
---@return string|table
function os.date(format, time) end

---@param t2 integer
---@param t1 integer
---@return number seconds
function os.difftime(t2, t1) end

---@param time? table year, month, day and more
---@return integer seconds since 1970
function os.time(time) end

-- Names of LuaJIT, for scripts that were written for Envoy.

---@param list table
---@param i? integer
---@param j? integer
---@return any ...
function unpack(list, i, j) end

---@param text string
---@param name? string
---@return function?
---@return string? why
function loadstring(text, name) end

---@param list table
---@return integer
function table.getn(list) end

---@param list table
---@return number
function table.maxn(list) end

---@param x number
---@param y number
---@return number
function math.pow(x, y) end

---@param y number
---@param x number
---@return number
function math.atan2(y, x) end

---@param x number
---@return number
function math.cosh(x) end

---@param x number
---@return number
function math.sinh(x) end

---@param x number
---@return number
function math.tanh(x) end

---@param x number
---@return number
function math.log10(x) end

---@param x number
---@return number m
---@return integer e x is m * 2^e
function math.frexp(x) end

---@param m number
---@param e integer
---@return number
function math.ldexp(m, e) end

---Numbers are taken modulo 2^32; results are signed.
bit = {}

---@param x number
---@return integer
function bit.tobit(x) end

---@param x number
---@param n? integer digits; negative: upper case
---@return string
function bit.tohex(x, n) end

---@param x number
---@return integer
function bit.bnot(x) end

---@param x number
---@param ... number
---@return integer
function bit.band(x, ...) end

---@param x number
---@param ... number
---@return integer
function bit.bor(x, ...) end

---@param x number
---@param ... number
---@return integer
function bit.bxor(x, ...) end

---@param x number
---@param n number
---@return integer
function bit.lshift(x, n) end

---@param x number
---@param n number
---@return integer
function bit.rshift(x, n) end

---@param x number
---@param n number
---@return integer
function bit.arshift(x, n) end

---@param x number
---@param n number
---@return integer
function bit.rol(x, n) end

---@param x number
---@param n number
---@return integer
function bit.ror(x, n) end

---@param x number
---@return integer
function bit.bswap(x) end

---Weft's own library.
weft = {}

---Waits, without holding up the worker.
---@param milliseconds number 0 to 3600000
function weft.sleep(milliseconds) end

weft.json = {}

---Stands for JSON's null. Not nil, and not false.
---@type lightuserdata
weft.json.null = {}

---@param text string
---@return any value nil: it is no JSON
---@return string? why
function weft.json.decode(text) end

---@param value any
---@return string? text nil: there is no JSON for it
---@return string? why
function weft.json.encode(value) end

---Marks a table as an array, so that an empty one is written as `[]`.
---@generic T: table
---@param value? T
---@return T
function weft.json.array(value) end

---Whether the value is a table that is marked as an array, or that has elements from 1 on.
---@param value any
---@return boolean
function weft.json.is_array(value) end

weft.base64 = {}

---@param bytes string
---@return string
function weft.base64.encode(bytes) end

---@param text string
---@return string? bytes
---@return string? why
function weft.base64.decode(text) end

---@param bytes string
---@return string
function weft.base64.encode_url(bytes) end

---@param text string
---@return string? bytes
---@return string? why
function weft.base64.decode_url(text) end

weft.url = {}

---@param text string
---@return string
function weft.url.encode(text) end

---@param text string
---@return string?
---@return string? why
function weft.url.decode(text) end

---@class weft.Url
---@field path string
---@field scheme? string
---@field userinfo? string
---@field host? string
---@field port? integer
---@field query? string
---@field fragment? string

---@param text string
---@return weft.Url?
---@return string? why
function weft.url.parse(text) end

---@param text string
---@return table<string, string>? first the first value of each parameter
---@return table<string, string[]>|string all, or why not
function weft.url.parse_query(text) end

---@param parameters table<string, string|number|boolean|(string|number|boolean)[]>
---@return string
function weft.url.build_query(parameters) end

weft.cookie = {}

---The value of a cookie; nil: there is none.
---@param source weft.Headers|string|nil a request's headers, or the text of a Cookie field
---@param name string
---@return string?
function weft.cookie.get(source, name) end

---All cookies by name; of several with one name the first.
---@param source weft.Headers|string|nil a request's headers, or the text of a Cookie field
---@return table<string, string>
function weft.cookie.parse(source) end

---@class weft.CookieAttributes
---@field path? string
---@field domain? string
---@field max_age? number seconds
---@field expires? number seconds since 1970
---@field secure? boolean
---@field http_only? boolean
---@field partitioned? boolean
---@field same_site? "Strict"|"Lax"|"None"

---The text of a Set-Cookie field.
---@param name string
---@param value string
---@param attributes? weft.CookieAttributes
---@return string? text nil: browsers would drop it
---@return string? why
function weft.cookie.build(name, value, attributes) end

---@alias weft.Format "hex"|"raw"|"base64"|"base64url"

weft.hash = {}

---@param data string
---@param format? weft.Format
---@return string
function weft.hash.sha1(data, format) end

---@param data string
---@param format? weft.Format
---@return string
function weft.hash.sha256(data, format) end

---@param data string
---@param format? weft.Format
---@return string
function weft.hash.sha384(data, format) end

---@param data string
---@param format? weft.Format
---@return string
function weft.hash.sha512(data, format) end

---@param key string
---@param data string
---@param format? weft.Format
---@return string
function weft.hash.hmac_sha1(key, data, format) end

---@param key string
---@param data string
---@param format? weft.Format
---@return string
function weft.hash.hmac_sha256(key, data, format) end

---@param key string
---@param data string
---@param format? weft.Format
---@return string
function weft.hash.hmac_sha384(key, data, format) end

---@param key string
---@param data string
---@param format? weft.Format
---@return string
function weft.hash.hmac_sha512(key, data, format) end

---@param data string
---@return integer
function weft.hash.crc32(data) end

weft.crypto = {}

---@class weft.PublicKey
local PublicKey = {}

---@return "RSA"|"EC"|"Ed25519"
function PublicKey:kind() end

---@return integer
function PublicKey:bits() end

---In a time that does not depend on where the strings differ.
---@param a string
---@param b string
---@return boolean
function weft.crypto.equal(a, b) end

---@param source string|table PEM, DER, or a JSON Web Key
---@return weft.PublicKey?
---@return string? why
function weft.crypto.public_key(source) end

---@alias weft.SignatureAlgorithm "RS256"|"RS384"|"RS512"|"PS256"|"PS384"|"PS512"|"ES256"|"ES384"|"EdDSA"|"HS256"|"HS384"|"HS512"

---@param algorithm weft.SignatureAlgorithm
---@param key weft.PublicKey|string a string for HS256, HS384 and HS512
---@param data string
---@param signature string its bytes
---@return boolean? nil: unknown algorithm, or a key of another kind
---@return string? why
function weft.crypto.verify(algorithm, key, data, signature) end

---@param count integer at most 65536
---@param format? weft.Format raw unless given
---@return string
function weft.crypto.random_bytes(count, format) end

---A key from a password (PBKDF2).
---@param algorithm "sha1"|"sha256"|"sha384"|"sha512"
---@param password string
---@param salt string
---@param iterations integer at most 50000
---@param bytes integer 1 to 64
---@param format? weft.Format raw unless given
---@return string
function weft.crypto.pbkdf2(algorithm, password, salt, iterations, bytes, format) end

weft.uuid = {}

---@return string
function weft.uuid.v4() end

---@return string
function weft.uuid.v7() end

weft.time = {}

---@return number seconds since 1970
function weft.time.now() end

---@return number seconds of a clock that never goes back
function weft.time.monotonic() end

---@param seconds? number
---@return string
function weft.time.http_date(seconds) end

---@param text string
---@return integer? seconds since 1970
---@return string? why
function weft.time.parse_http_date(text) end

---@param seconds? number
---@param digits? integer of the fraction, 0 to 9
---@return string
function weft.time.rfc3339(seconds, digits) end

---@param text string
---@return number? seconds since 1970
---@return string? why
function weft.time.parse_rfc3339(text) end

weft.random = {}

---From m to n, or from 1 to m.
---@param m integer
---@param n? integer
---@return integer
function weft.random.integer(m, n) end

---@return number at least 0, below 1
function weft.random.float() end

---@param count integer
---@return string
function weft.random.bytes(count) end

weft.ip = {}

---@class weft.IpAddress
---@field address string
---@field version 4|6
---@field port? integer

---@class weft.IpSet
---@operator len: integer
local IpSet = {}

---@param address string
---@return boolean? nil: it is no address
---@return string? why
function IpSet:contains(address) end

---@param text string
---@return weft.IpAddress?
---@return string? why
function weft.ip.parse(text) end

---@param list string[] addresses and ranges
---@return weft.IpSet
function weft.ip.set(list) end

weft.re = {}

---@class weft.RegularExpression
local RegularExpression = {}

---@alias weft.Replacement string|table<string, string|number|false>|fun(...: string|false): string|number|false?

---@param text string
---@return boolean
function RegularExpression:test(text) end

---@param text string
---@param init? integer
---@return string|false|nil ...
function RegularExpression:match(text, init) end

---@param text string
---@param init? integer
---@return integer? first
---@return integer? last
---@return string|false ...
function RegularExpression:find(text, init) end

---@param text string
---@param init? integer
---@return table<integer, string|false>?
function RegularExpression:captures(text, init) end

---@param text string
---@return fun(): string|false|nil, ...
function RegularExpression:gmatch(text) end

---@param text string
---@param replacement weft.Replacement
---@param n? integer
---@return string
---@return integer count
function RegularExpression:gsub(text, replacement, n) end

---@param text string
---@param n? integer
---@return string[]
function RegularExpression:split(text, n) end

---@param name string
---@return integer? number of the group
function RegularExpression:group(name) end

---@param pattern string
---@param flags? string of i, s, m, u
---@return weft.RegularExpression?
---@return string? why
function weft.re.compile(pattern, flags) end

---@param text string
---@param pattern string
---@param flags? string
---@return boolean
function weft.re.test(text, pattern, flags) end

---@param text string
---@param pattern string
---@param flags? string
---@return string|false|nil ...
function weft.re.match(text, pattern, flags) end

---@param text string
---@param pattern string
---@param flags? string
---@return integer? first
---@return integer? last
---@return string|false ...
function weft.re.find(text, pattern, flags) end

---@param text string
---@param pattern string
---@param flags? string
---@return table<integer, string|false>?
function weft.re.captures(text, pattern, flags) end

---@param text string
---@param pattern string
---@param flags? string
---@return fun(): string|false|nil, ...
function weft.re.gmatch(text, pattern, flags) end

---@param text string
---@param pattern string
---@param replacement weft.Replacement
---@param flags? string
---@return string
---@return integer count
function weft.re.gsub(text, pattern, replacement, flags) end

---@param text string
---@param pattern string
---@param flags? string
---@return string[]
function weft.re.split(text, pattern, flags) end

---A dictionary that all workers share.
---@class weft.SharedDictionary
local SharedDictionary = {}

---@param key string
---@return string|number|boolean|nil
function SharedDictionary:get(key) end

---@param key string
---@param value string|number|boolean|nil
---@param ttl? number seconds
---@return true?
---@return string? why
function SharedDictionary:set(key, value, ttl) end

---@param key string
---@param value string|number|boolean
---@param ttl? number seconds
---@return true? nil: it exists
---@return string? why
function SharedDictionary:add(key, value, ttl) end

---@param key string
---@param value string|number|boolean
---@param ttl? number seconds
---@return true? nil: it does not exist
---@return string? why
function SharedDictionary:replace(key, value, ttl) end

---@param key string
---@param amount? number 1
---@param initial? number of a key that is not there
---@param ttl? number seconds, of a key that is not there
---@return number?
---@return string? why
function SharedDictionary:incr(key, amount, initial, ttl) end

---@param key string
---@return number? seconds that it has left
function SharedDictionary:ttl(key) end

---@param key string
---@return boolean
function SharedDictionary:delete(key) end

---@return integer
function SharedDictionary:count() end

---@param most? integer 1024
---@return string[]
function SharedDictionary:keys(most) end

function SharedDictionary:flush() end

---@param name string
---@return weft.SharedDictionary
function weft.shared(name) end

---@class (exact) weft.HttpOptions
---@field service string of the manifest's `services`
---@field path? string
---@field authority? string
---@field headers? table<string, string|string[]>
---@field body? string
---@field timeout_ms? number 5000

---@class (exact) weft.HttpRequestOptions: weft.HttpOptions
---@field method? string GET

---@class weft.HttpAnswer
---@field status integer
---@field headers table<string, string>
---@field all_headers table<string, string[]>
---@field body string

---@alias weft.HttpFailure "timeout"|"refused"|"too_large"|"not_allowed"

weft.http = {}

---@param options weft.HttpRequestOptions
---@return weft.HttpAnswer?
---@return string? why
---@return weft.HttpFailure? kind
function weft.http.request(options) end

---@param options weft.HttpOptions
---@return weft.HttpAnswer?
---@return string? why
---@return weft.HttpFailure? kind
function weft.http.get(options) end

---@param options weft.HttpOptions
---@return weft.HttpAnswer?
---@return string? why
---@return weft.HttpFailure? kind
function weft.http.head(options) end

---@param options weft.HttpOptions
---@return weft.HttpAnswer?
---@return string? why
---@return weft.HttpFailure? kind
function weft.http.post(options) end

---@param options weft.HttpOptions
---@return weft.HttpAnswer?
---@return string? why
---@return weft.HttpFailure? kind
function weft.http.put(options) end

---@param options weft.HttpOptions
---@return weft.HttpAnswer?
---@return string? why
---@return weft.HttpFailure? kind
function weft.http.patch(options) end

---@param options weft.HttpOptions
---@return weft.HttpAnswer?
---@return string? why
---@return weft.HttpFailure? kind
function weft.http.delete(options) end

---Runs functions side by side.
---@param functions (fun(): any, any)[] at most 32
---@return any[] results the first of each
---@return any[] errors the second of each, or the error that it raised
function weft.all(functions) end

weft.metrics = {}

---@class weft.Metric
local Metric = {}

---Counters and gauges.
---@param ... string values of the labels
function Metric:inc(...) end

---Gauges.
---@param ... string
function Metric:dec(...) end

---Counters and gauges.
---@param amount number
---@param ... string
function Metric:add(amount, ...) end

---Gauges.
---@param value number
---@param ... string
function Metric:set(value, ...) end

---Histograms.
---@param value number
---@param ... string
function Metric:observe(value, ...) end

---@param name string
---@param labels? string[]
---@param options? {help?: string}
---@return weft.Metric
function weft.metrics.counter(name, labels, options) end

---@param name string
---@param labels? string[]
---@param options? {help?: string}
---@return weft.Metric
function weft.metrics.gauge(name, labels, options) end

---@param name string
---@param labels? string[]
---@param options? {help?: string, buckets?: number[]}
---@return weft.Metric
function weft.metrics.histogram(name, labels, options) end

---Calls a function every so many seconds. While the script is loaded.
---@param seconds number 0.1 to 86400
---@param body fun()
---@param options? {worker?: "one"|"each"}
function weft.every(seconds, body, options) end

---@param level "trace"|"debug"|"info"|"warn"|"error"|"critical"
---@param ... any
function weft.log(level, ...) end
