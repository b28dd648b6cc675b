using Platform.Functions.Hosting;

namespace Platform.Functions.Http.InferenceProtocol;

/// <summary><c>GET /v2</c>: what the server is and which extensions it has.</summary>
internal sealed class ServerMetadataFunction
{
    private static readonly string Version = typeof(ServerMetadataFunction).Assembly.GetName().Version?.ToString(3) ?? "0";

    [Function("V2ServerMetadata")]
    public static ServerMetadata Run([HttpTrigger(AuthorizationLevel.Function, "get", Route = "v2")] HttpRequest request) =>
        new("platform", Version, ["binary_tensor_data", "generate", "model_repository"]);
}

/// <summary>The protocol's description of a server.</summary>
internal sealed record ServerMetadata(string Name, string Version, IReadOnlyList<string> Extensions);
