using Platform.Functions.Hosting;
using Platform.Jobs.Schemas;

namespace Platform.Functions.Http;

/// <summary><c>GET /api/openapi.json</c>: the platform's own surface as an OpenAPI 3.1 document.</summary>
internal sealed class OpenApiFunction
{
    private static readonly string Document = OpenApiDocument.Create().ToJsonString();

    [Function("OpenApi")]
    public static IResult Run([HttpTrigger(AuthorizationLevel.Anonymous, "get", Route = "api/openapi.json")] HttpRequest request) =>
        Results.Text(Document, "application/json");
}
