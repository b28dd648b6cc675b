using System.Text.Json.Serialization;
using Platform.Functions.Hosting;
using Platform.Functions.Routing;

namespace Platform.Functions.Http;

/// <summary><c>GET /v1/models</c>: the published models, as OpenAI clients read them.</summary>
internal sealed class ListOpenAiModelsFunction(ControlClient control)
{
    [Function("ListOpenAiModels")]
    public async Task<OpenAiModelList> Run([HttpTrigger(AuthorizationLevel.Function, "get", Route = "v1/models")] HttpRequest request, CancellationToken cancellationToken)
    {
        var models = await control.ListModelsAsync(cancellationToken);
        return new OpenAiModelList([.. models.Select(model => new OpenAiModel(model.Manifest.Name, model.Manifest.PublishedAt?.ToUnixTimeSeconds() ?? 0))]);
    }
}

/// <summary>OpenAI's list of models.</summary>
internal sealed record OpenAiModelList(IReadOnlyList<OpenAiModel> Data, string Object = "list");

/// <summary>OpenAI's model object.</summary>
internal sealed record OpenAiModel(string Id, long Created, string Object = "model", [property: JsonPropertyName("owned_by")] string OwnedBy = "platform");
