using Platform.Dapr;
using Platform.Functions.Hosting;
using Platform.Functions.Routing;
using Platform.Jobs;

namespace Platform.Functions.Http;

/// <summary><c>POST /api/models/{model}/sleep</c>: takes a model off the device of every node that has it; <c>?level=host</c> (the default) keeps its weights in host memory, <c>?level=process</c> on NVMe alone. The next call wakes it.</summary>
internal sealed class SleepModelFunction(ControlClient control, NodeTableCache table, DaprInvoker dapr)
{
    [Function("SleepModel")]
    public async Task<IResult> Run(
        [HttpTrigger(AuthorizationLevel.Function, "post", Route = "api/models/{model}/sleep")] HttpRequest request, string model, CancellationToken cancellationToken)
    {
        var level = request.Query["level"].FirstOrDefault() ?? "host";
        if (level is not ("host" or "process"))
        {
            throw new ProblemException(Problem.Of(400, ErrorCodes.InvalidRequest, $"'{(level.Length > 80 ? level[..80] : level)}' is no level to sleep at; expected 'host' (weights stay in host memory) or 'process' (weights stay on NVMe alone)."));
        }

        if (!Names.IsModel(model) || await control.GetModelAsync(model, cancellationToken) is null)
        {
            throw CompletionRequest.UnknownModel(model);
        }

        var nodes = await table.FetchAsync(cancellationToken);
        var awake = nodes.Nodes.Where(node => node.Alive && node.Heartbeat.Models.GetValueOrDefault(model) is ModelResidency.Host or ModelResidency.Loading or ModelResidency.Ready).Select(node => node.Heartbeat.Worker).ToList();
        await Task.WhenAll(awake.Select(worker => dapr.InvokeMethodAsync(HttpMethod.Post, worker, $"{Routes.WorkerModelSleep(model)}?level={level}", cancellationToken)));
        return Results.Json(new SleepAnswer(model, level, awake));
    }
}

/// <summary>Which nodes had the model.</summary>
internal sealed record SleepAnswer(string Model, string Level, IReadOnlyList<string> Nodes);
