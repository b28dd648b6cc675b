using System.Globalization;
using System.Text.Json;
using Platform.Jobs;
using Platform.Worker.Http;

namespace Platform.Worker.Models;

/// <summary>Loads and drops models on request.</summary>
internal static class ModelEndpoints
{
    public static void Map(IEndpointRouteBuilder routes)
    {
        routes.MapPut(Routes.WorkerModel("{model}"), LoadAsync);
        routes.MapPost(Routes.WorkerModelSleep("{model}"), Sleep);
        routes.MapDelete(Routes.WorkerModel("{model}"), DropAsync);
        routes.MapPost(Routes.WorkerModelRelease("{model}"), Release);
    }

    private static async Task<IResult> LoadAsync(HttpContext context, string model, ResidentModels models)
    {
        var wait = context.Request.Query["wait"] == "true";
        var manifest = await ReadAsync(context, model);
        var load = models.WarmAsync(manifest);
        if (!wait && !load.IsCompleted)
        {
            // The reason of a failure is logged where it happens, and told to whoever asks for the model.
            _ = load.ContinueWith(static task => task.Exception, TaskScheduler.Default);
            return Results.Accepted();
        }

        await load.WaitAsync(context.RequestAborted);
        return Results.Ok();
    }

    private static IResult Sleep(HttpContext context, string model, ResidentModels models)
    {
        if (!Names.IsModel(model))
        {
            throw new RequestException(ErrorCodes.InvalidRequest, $"'{model}' is not a model name; expected {Names.ModelRule}.");
        }

        string? level = context.Request.Query["level"];
        if (level is not (null or "" or "host" or "process"))
        {
            throw new RequestException(ErrorCodes.InvalidRequest, $"'{level}' is no level to sleep at; expected 'host' (weights stay in host memory) or 'process' (weights stay on NVMe alone).");
        }

        models.Sleep(model, keepInHostMemory: level != "process");
        return Results.NoContent();
    }

    private static async Task<IResult> DropAsync(HttpContext context, string model, ResidentModels models)
    {
        if (!Names.IsModel(model))
        {
            throw new RequestException(ErrorCodes.InvalidRequest, $"'{model}' is not a model name; expected {Names.ModelRule}.");
        }

        await models.DropAsync(model, context.RequestAborted);
        return Results.NoContent();
    }

    private static IResult Release(HttpContext context, string model, ResidentModels models)
    {
        var text = context.Request.Query["idle"].ToString();
        return double.TryParse(text, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var seconds) && seconds <= TimeSpan.FromDays(365).TotalSeconds
            ? Results.Json(new ReleaseAnswer(models.ReleaseIdle(model, TimeSpan.FromSeconds(seconds))), JobsJson.Default.ReleaseAnswer)
            : throw new RequestException(ErrorCodes.InvalidRequest, $"'idle' is '{text}'; expected seconds.");
    }

    private static async Task<ModelManifest> ReadAsync(HttpContext context, string model)
    {
        try
        {
            var manifest = await JsonSerializer.DeserializeAsync(context.Request.Body, JobsJson.Default.ModelManifest, context.RequestAborted);
            return manifest?.Name == model && Names.IsModel(model)
                ? manifest
                : throw new RequestException(ErrorCodes.InvalidRequest, $"The body is the manifest of '{manifest?.Name}', the route names '{model}'.");
        }
        catch (JsonException fault)
        {
            throw new RequestException(ErrorCodes.InvalidJson, $"The body is not a model manifest: {fault.Message}");
        }
    }
}
