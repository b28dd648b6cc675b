using Platform.Dapr;
using Platform.Functions.Hosting;
using Platform.Functions.Routing;
using Platform.Jobs;

namespace Platform.Functions.Http;

/// <summary><c>POST /api/models/{model}/warm</c>: loads a model on a worker before anybody asks for it; with <c>?wait=true</c> answers when it is ready.</summary>
internal sealed class WarmModelFunction(ControlClient control, DaprInvoker dapr)
{
    [Function("WarmModel")]
    public async Task<IResult> Run(
        [HttpTrigger(AuthorizationLevel.Function, "post", Route = "api/models/{model}/warm")] HttpRequest request, string model, CancellationToken cancellationToken)
    {
        var answer = Names.IsModel(model) ? await control.EnsureReplicaAsync(model, [], cancellationToken) : null;
        if (answer?.Manifest is null)
        {
            throw CompletionRequest.UnknownModel(model);
        }

        if (answer.Worker is null)
        {
            throw new ProblemException(Problem.Of(503, ErrorCodes.NoWorker, $"No worker can take model '{model}': {answer.Reason}"), TimeSpan.FromSeconds(1));
        }

        var wait = request.Query["wait"] == "true";
        using var load = dapr.CreateInvokeMethodRequest(HttpMethod.Put, answer.Worker, Routes.WorkerModel(model) + (wait ? "?wait=true" : ""), answer.Manifest, JobsJson.Default.ModelManifest);
        using var response = await dapr.SendAsync(load, HttpCompletionOption.ResponseContentRead, cancellationToken);
        return response.IsSuccessStatusCode
            ? Results.Json(new WarmAnswer(model, answer.Worker, wait ? ModelResidency.Ready : ModelResidency.Loading, answer.Reason), statusCode: (int)response.StatusCode)
            : Results.Text(await response.Content.ReadAsStringAsync(cancellationToken), response.Content.Headers.ContentType?.ToString() ?? Problem.ContentType, statusCode: (int)response.StatusCode);
    }
}

/// <summary>Which worker takes the model, and why.</summary>
internal sealed record WarmAnswer(string Model, string Worker, ModelResidency Residency, string Reason);
