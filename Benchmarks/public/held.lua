-- wrk: one line of JSON at the end, and the first request of each connection held back until all are open: wrk corrects latencies
-- for what a stalled client would not have sent, and would count the handshakes at the start as a long stall.
local left, pause = 0, 0

function init(arguments) left, pause = tonumber(arguments[1]), tonumber(arguments[2]) end

function delay()
  if left == 0 then return 0 end
  left = left - 1
  return pause
end

function done(summary, latency)
  local e = summary.errors
  io.write(string.format('{"errors": %d, "p50": %.0f, "p99": %.0f}\n',
    e.connect + e.read + e.write + e.timeout + e.status, latency:percentile(50), latency:percentile(99)))
end
