"""The steps of a delivery, each atomic on the server and timed by its clock, so that skewed workers do no harm.

    queue --BLMOVE--> taken --TAKE--> leased --ACK--> gone
      ^                 |               |
      +-----SWEEP-------+---HAND_BACK---+

At every moment a message is in exactly one of these places, and every place but `gone` is looked after: `taken` by the
consumer's registration, `leased` by the lease. The only step that waits, BLMOVE, cannot be a script, hence `taken`.
"""

_NOW = """
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
"""

# KEYS consumers; ARGV taken. A consumer registers before its first BLMOVE and goes on doing so while it lives.
REGISTER = _NOW + "return redis.call('ZADD', KEYS[1], now, ARGV[1])"

# KEYS taken, leased, leases, losses, queue; ARGV tag. Returns how often the lease ended before, or false when the
# message is not there any more, because this consumer was silent for so long that it was given to others. Another
# message in the list is one whose BLMOVE answer was lost with a connection: it goes back. A tag stands in its message.
TAKE = (
    _NOW
    + """
while true do
  local message = redis.call('RPOP', KEYS[1])
  if not message then return false end
  if string.find(message, ARGV[1], 1, true) then
    redis.call('HSET', KEYS[2], ARGV[1], message)
    redis.call('ZADD', KEYS[3], now, ARGV[1])
    return tonumber(redis.call('HGET', KEYS[4], ARGV[1]) or 0)
  end
  redis.call('RPUSH', KEYS[5], message)
end
"""
)

# KEYS taken, queue. Puts back what was taken and not leased, and returns how many messages that were.
UNTAKE = """
local count = 0
while redis.call('LMOVE', KEYS[1], KEYS[2], 'RIGHT', 'RIGHT') do count = count + 1 end
return count
"""

# KEYS leased, leases, losses; ARGV tag. Returns whether somebody held it. Also right where the lease ended and another
# worker holds it now: its result is stored. What is back in the queue stays there and is run again.
ACK = """
redis.call('ZREM', KEYS[2], ARGV[1])
if redis.call('HDEL', KEYS[1], ARGV[1]) == 0 then return 0 end
redis.call('HDEL', KEYS[3], ARGV[1])
return 1
"""

# KEYS leased, leases, losses, queue; ARGV tag, losses. Puts it where it is taken next, and returns whether that was
# done. Not for who lost the lease meanwhile: it is known by the losses that TAKE had told it, which have grown since.
HAND_BACK = """
local message = redis.call('HGET', KEYS[1], ARGV[1])
if not message or (redis.call('HGET', KEYS[3], ARGV[1]) or '0') ~= ARGV[2] then return 0 end
redis.call('ZREM', KEYS[2], ARGV[1])
redis.call('HDEL', KEYS[1], ARGV[1])
redis.call('RPUSH', KEYS[4], message)
return 1
"""

# KEYS leases, consumers; ARGV taken, tags… Renews only leases that are there: an acknowledged delivery stays gone.
RENEW = (
    _NOW
    + """
redis.call('ZADD', KEYS[2], now, ARGV[1])
for index = 2, #ARGV do redis.call('ZADD', KEYS[1], 'XX', now, ARGV[index]) end
return #ARGV - 1
"""
)

# KEYS leased, leases, losses, consumers, queue; ARGV lease_ms, forget_ms, limit. Returns how many deliveries' leases
# had ended, and how many messages silent consumers had taken and not leased. Nothing of the latter was run, so it does
# not count as a loss. A silent consumer stays registered for long after its list is empty: stopped in the middle of a
# BLMOVE and continued, it may still be given a message.
SWEEP = (
    _NOW
    + """
local ended = redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', now - ARGV[1], 'LIMIT', 0, ARGV[3])
for _, tag in ipairs(ended) do
  local message = redis.call('HGET', KEYS[1], tag)
  redis.call('ZREM', KEYS[2], tag)
  redis.call('HDEL', KEYS[1], tag)
  if message then
    redis.call('HINCRBY', KEYS[3], tag, 1)
    redis.call('RPUSH', KEYS[5], message)
  end
end
local rescued = 0
for _, taken in ipairs(redis.call('ZRANGEBYSCORE', KEYS[4], '-inf', now - ARGV[1])) do
  while redis.call('LMOVE', taken, KEYS[5], 'RIGHT', 'RIGHT') do rescued = rescued + 1 end
end
redis.call('ZREMRANGEBYSCORE', KEYS[4], '-inf', now - ARGV[2])
return {#ended, rescued}
"""
)
