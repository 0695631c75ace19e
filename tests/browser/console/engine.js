// Anam's engine at the other end of the page's own peer connection: it answers what the SDK offers, as the real one does over the
// socket, and says on the data channel what a test has it say.
"use strict";

window.engine = {
  // Parts of what somebody says, in messages of the data channel.
  say: (data) => window.engine.channel.send(JSON.stringify({ messageType: "speechText", data })),
};

window.WebSocket = class extends WebSocket {
  send(text) {
    super.send(text);
    const { actionType, sessionId, payload } = JSON.parse(text);
    const tell = (action, content) =>
      this.dispatchEvent(new MessageEvent("message", { data: JSON.stringify({ actionType: action, sessionId, payload: content }) }));
    if (actionType === "offer") this.answer(payload.connectionDescription, tell);
    if (actionType === "icecandidate") this.ready.then(() => this.peer.addIceCandidate(payload));
  }

  answer(offer, tell) {
    const peer = this.peer = new RTCPeerConnection();
    peer.ondatachannel = ({ channel }) => { channel.onopen = () => { window.engine.channel = channel; }; };
    peer.onicecandidate = ({ candidate }) => { if (candidate) tell("icecandidate", candidate.toJSON()); };
    this.ready = (async () => {
      await peer.setRemoteDescription(offer);
      await peer.setLocalDescription();
      tell("answer", { type: peer.localDescription.type, sdp: peer.localDescription.sdp });
    })();
  }
};
