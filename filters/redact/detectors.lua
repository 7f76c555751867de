-- What personal data looks like in a text. A detector has an expression, and perhaps a check that rules out what only looks
-- like it: numbers of orders are no card numbers.
local detectors = {}

-- The check digit of card numbers (ISO/IEC 7812-1, Luhn).
local function is_card(text)
  local digits = text:gsub("%D", "")
  local sum, double = 0, false
  for i = #digits, 1, -1 do
    local digit = digits:byte(i) - 48
    if double then
      digit = digit * 2
      if digit > 9 then digit = digit - 9 end
    end
    sum = sum + digit
    double = not double
  end
  return sum % 10 == 0
end

-- The check digits of account numbers (ISO 13616): letters stand for 10 to 35, and the whole is 1 modulo 97.
local function is_iban(text)
  local plain = text:gsub(" ", ""):upper()
  local rest = 0
  for char in (plain:sub(5) .. plain:sub(1, 4)):gmatch("%w") do
    local value = tonumber(char, 36)
    rest = (rest * (value > 9 and 100 or 10) + value) % 97
  end
  return rest == 1
end

detectors.email = {pattern = [[[A-Za-z0-9._%+-]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63})+]]}
detectors.card = {pattern = [[(?<!\d)\d(?:[ -]?\d){12,18}(?!\d)]], check = is_card}
detectors.iban = {pattern = [[\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?\b]], check = is_iban}
detectors.phone = {pattern = [[\+\d{1,3}(?:[ .()/-]{0,2}\d){6,13}(?!\d)]]}

return detectors
