# frozen_string_literal: true

require 'digest'
require 'json'
require 'socket'

# Answers the director's questions by the ledger, through the agent of this node.
class KudosHandler
  # identities: from a peer's nodeId to its address on the ledger.
  def initialize(socket_path, identities)
    @socket_path = socket_path
    @identities = identities
    @running = {}
  end

  # The kernel waits for this answer, so it never raises: what cannot be judged is refused.
  def onImmigrationRequest(node, execName)
    home = @identities.fetch(node.nodeId)
    verdict = ask('decide', home: home, task: { name: execName })
    request = pending(home, execName, 'asked')
    answer(request, verdict) if request
    verdict['accept']
  rescue KeyError, SystemCallError, IOError, AgentRefused => e
    warn "kudos: refused: #{e.message}"
    false
  end

  def onImmigrationConfirmed(node, name, localPid, _remotePid)
    request = pending(@identities.fetch(node.nodeId), name, 'confirmed')
    @running[localPid] = request['request_id'] if request
  rescue KeyError, SystemCallError, IOError, AgentRefused => e
    warn "kudos: not recorded: #{e.message}"
  end

  # To be called when an immigrated process ends: signs its RESULT.
  def onExit(localPid, exitStatus)
    request_id = @running.delete(localPid) or return
    digest = "0x#{Digest::SHA256.hexdigest("exit status #{exitStatus}")}"
    ask('result', request_id: request_id, result_digest: digest)
  end

  class AgentRefused < StandardError; end

  private

  def answer(request, verdict)
    if verdict['accept']
      ask('accept', request_id: request['request_id'])
    else
      ask('reject', request_id: request['request_id'], reason: verdict['reason'])
    end
  end

  def pending(home, name, state)
    found = ask('migrations', role: 'host', state: state)
    found.find { |one| one['home'] == home.downcase && one['name'] == name }
  end

  def ask(method, fields)
    UNIXSocket.open(@socket_path) do |socket|
      socket.puts(JSON.generate({ v: 1, method: method }.merge(fields)))
      line = socket.gets or raise IOError, 'the agent hung up'
      answer = JSON.parse(line)
      raise AgentRefused, "#{answer['message']} #{answer['hint']}" if answer['error']

      answer['result']
    end
  end
end
