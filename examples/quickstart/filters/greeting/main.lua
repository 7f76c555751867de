-- Runs for every request on its way to the service.
function on_request(request)
  request:headers():add("x-greeted", "yes")
end

-- Runs for every response on its way back.
function on_response(response)
  response:headers():add("x-greeting", response:settings().greeting)
end
