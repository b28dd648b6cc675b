using System.Text.Json;
using Platform.Functions.Hosting;
using Platform.Functions.Routing;
using Platform.Jobs;

namespace Platform.Functions.Http.InferenceProtocol;

/// <summary><c>POST /v2/repository/index</c>: the published models, by the protocol's extension for model repositories; with <c>{"ready":true}</c> those that a worker has in memory.</summary>
internal sealed class RepositoryIndexFunction(InferenceRouter router, ControlClient control)
{
    [Function("V2RepositoryIndex")]
    public Task<IResult> Run([HttpTrigger(AuthorizationLevel.Function, "post", Route = "v2/repository/index")] HttpRequest request, CancellationToken cancellationToken) => router.AnswerAsync(async () =>
    {
        var onlyReady = await OnlyReadyAsync(request, cancellationToken);
        var rows = (await control.ListModelsAsync(cancellationToken)).Select(Row);
        return Results.Json(rows.Where(row => !onlyReady || row.State == "READY").ToArray());
    });

    private static async Task<bool> OnlyReadyAsync(HttpRequest request, CancellationToken cancellationToken)
    {
        var body = await RequestBody.ReadAsync(request, 1024, cancellationToken);
        try
        {
            using var document = body.Length == 0 ? null : JsonDocument.Parse(body);
            return document?.RootElement is { ValueKind: JsonValueKind.Object } root && root.TryGetProperty("ready", out var ready) && ready.ValueKind == JsonValueKind.True;
        }
        catch (JsonException exception)
        {
            throw new ProblemException(Problem.Of(400, ErrorCodes.InvalidJson, $"The body is not JSON: {exception.Message}"));
        }
    }

    private static RepositoryModel Row(ModelStatus model)
    {
        var isReady = model.Nodes.Values.Contains(ModelResidency.Ready);
        return new RepositoryModel(model.Manifest.Name, Routes.InferenceModelVersion, isReady ? "READY" : "UNAVAILABLE", isReady ? "" : "scaled to zero: the first call loads it");
    }
}

/// <summary>One row of a model repository.</summary>
internal sealed record RepositoryModel(string Name, string Version, string State, string Reason);
