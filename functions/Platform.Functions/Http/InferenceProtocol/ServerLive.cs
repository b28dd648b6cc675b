using Platform.Functions.Hosting;

namespace Platform.Functions.Http.InferenceProtocol;

/// <summary><c>GET /v2/health/live</c>: 200 while this function app answers at all.</summary>
internal sealed class ServerLiveFunction
{
    [Function("V2ServerLive")]
    public static ServerLive Run([HttpTrigger(AuthorizationLevel.Function, "get", Route = "v2/health/live")] HttpRequest request) => new(true);
}

/// <summary>The protocol's answer about life.</summary>
internal sealed record ServerLive(bool Live);
