-- For wrk: counts the responses with another body than the application's.
local threads = {}
wrong = 0

function setup(thread) table.insert(threads, thread) end

function response(status, headers, body)
    if body ~= "40 frames" then wrong = wrong + 1 end
end

function done(summary, latency, requests)
    local total = 0
    for _, thread in ipairs(threads) do total = total + thread:get("wrong") end
    print("Wrong bodies: " .. total)
end
