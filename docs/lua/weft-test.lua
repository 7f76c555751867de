---@meta

-- What tests of a bundle find (`weft filter test`); docs/testing-filters.md describes it. A test holds this file against the
-- library.

---@alias weft.test.Fields table<string, string|number|string[]>|[string, string][]

---@class weft.test.Request
---@field method? string GET, or with a body POST
---@field path? string path and query
---@field host? string
---@field headers? weft.test.Fields
---@field body? string|string[] a list: the pieces in which it arrives
---@field chunked? boolean
---@field trailers? weft.test.Fields
---@field client? string an address
---@field tls? boolean|weft.test.TLS the client came over TLS
---@field route? string
---@field service? string
---@field listener? string
---@field metadata? table<string, any> the route's, for this filter
---@field allow_errors? boolean an error of the filter's does not fail the test

---@class weft.test.TLS
---@field peer? weft.test.Certificate the client's; nil: it presented none
---@field validated? boolean `peer` is valid by the listener's authorities; true unless given
---@field local? weft.test.Certificate the proxy's
---@field server_name? string
---@field version? string
---@field cipher? string
---@field session? string its bytes

---@class weft.test.Certificate
---@field subject? string as in CN=reviews,O=Example
---@field issuer? string
---@field serial? string
---@field uri_sans? string[]
---@field dns_sans? string[]
---@field spiffe_id? string instead of `uri_sans`
---@field valid_from? integer seconds since 1970
---@field expires? integer seconds since 1970
---@field sha256? string
---@field pem? string

---@class weft.test.Message
---@field headers table<string, string> by name, in any case
---@field fields [string, string][] name and value of each, in order
---@field body string
---@field chunks string[]
---@field trailers table<string, string>

---@class weft.test.UpstreamRequest: weft.test.Message
---@field method string
---@field path string

---@class weft.test.Call: weft.test.UpstreamRequest
---@field service string
---@field host string
---@field timeout integer milliseconds

---@class weft.test.Result: weft.test.Message
---@field status integer
---@field upstream? weft.test.UpstreamRequest what the upstream got; nil: nothing
---@field responded boolean the filter answered itself
---@field details string the response code details
---@field aborted boolean broken off after the head had gone out
---@field error? string why the filter failed
---@field metadata table<string, table<string, any>> dynamic metadata, by namespace

---@class weft.test.Answer
---@field status? integer
---@field headers? weft.test.Fields
---@field body? string|string[]
---@field chunked? boolean
---@field trailers? weft.test.Fields
---@field delay? number milliseconds
---@field failure? "refused"|"reset"|"timeout"

---@class weft.test.Exchange
local Exchange = {}

---Waits for the result.
---@return weft.test.Result
function Exchange:wait() end

---The client goes away.
function Exchange:cancel() end

---@class weft.test.Test
---@overload fun(name: string, body: fun())
test = {}

---@param name string
---@param body fun()
function test.skip(name, body) end

---@param name string
---@param body fun()
function describe(name, body) end

---@param body fun()
function before_each(body) end

---@param body fun()
function after_each(body) end

---@param spec? weft.test.Request
---@return weft.test.Result
function request(spec) end

---Several at once.
---@param specs weft.test.Request[]
---@return weft.test.Result[]
function requests(specs) end

---@param spec weft.test.Request
---@return weft.test.Exchange
function start(spec) end

---@param answer weft.test.Answer|fun(request: weft.test.UpstreamRequest): weft.test.Answer?
function upstream(answer) end

---@param name string
---@param answer weft.test.Answer|fun(request: weft.test.Call): weft.test.Answer?
function service(name, answer) end

---@param values table<string, any>
function settings(values) end

---@param values {settings?: table<string, any>, onError?: "deny"|"skip", limits?: table<string, any>, services?: string[]}
function config(values) end

clock = {}

---@return number seconds since 1970
function clock.now() end

---@param time number|string seconds since 1970, or a date such as 2026-01-31T12:00:00Z
function clock.set(time) end

---@param seconds number
function clock.advance(seconds) end

---@param level? "trace"|"debug"|"info"|"warn"|"error"|"critical"
---@return {level: string, message: string}[]
function logs(level) end

---@param name? string of a service
---@return weft.test.Call[]
function calls(name) end

---@param name string
---@param labels? table<string, string>
---@return number|{count: integer, sum: number}|nil
function metrics(name, labels) end

---@param message weft.test.Message
---@param name string
---@return string[]
function header_values(message, name) end

---@param actual any
---@param expected any
---@param message? string
function assert_equal(actual, expected, message) end

---@param actual any
---@param unexpected any
---@param message? string
function assert_not_equal(actual, unexpected, message) end

---@param value any
---@param message? string
function assert_true(value, message) end

---@param value any
---@param message? string
function assert_false(value, message) end

---@param value any
---@param message? string
function assert_nil(value, message) end

---@param text string?
---@param pattern string a Lua pattern
---@param message? string
function assert_match(text, pattern, message) end

---@param text string?
---@param part string
---@param message? string
function assert_contains(text, part, message) end

---@param body fun()
---@param part? string of the error's message
---@return string message
function assert_error(body, part) end

---@param message weft.test.Message
---@param name string
---@param value? string|false nil: it is there; false: it is not
function assert_header(message, name, value) end

---@param message? string
function fail(message) end

---@param reason? string
function skip(reason) end
