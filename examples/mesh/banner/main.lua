local VERSION = "1.0.0"

function on_response(response)
  response:headers():add("x-banner", VERSION)
end
