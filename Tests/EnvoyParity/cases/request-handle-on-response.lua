-- The request's headers, kept for the response.
--> GET /
local headers
function envoy_on_request(handle) headers = handle:headers() end
function envoy_on_response(handle) handle:headers():add("x-path", headers:get(":path")) end
