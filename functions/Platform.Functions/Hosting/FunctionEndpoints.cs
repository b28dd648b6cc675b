using System.Collections.ObjectModel;
using System.Text.Json;
using System.Text.Json.Nodes;
using Platform.Jobs;

namespace Platform.Functions.Hosting;

/// <summary>The custom-handler contract: raw requests on their original path, envelopes on <c>POST /{function}</c>.</summary>
internal sealed class FunctionEndpoints(IReadOnlyList<FunctionDescriptor> functions, JsonSerializerOptions json, IEnumerable<IProblemMapper> problems, ILogger<FunctionEndpoints> logger)
{
    private const string InvocationIdHeader = "X-Azure-Functions-InvocationId";

    public IReadOnlyList<FunctionDescriptor> Functions { get; } = functions;

    public void Map(IEndpointRouteBuilder routes, string routePrefix)
    {
        foreach (var invoker in Functions.Select(function => new FunctionInvoker(function, json)))
        {
            var function = invoker.Function;
            if (function.IsRawHttp)
            {
                var pattern = $"{routePrefix}/{function.HttpTrigger!.Route ?? function.Name}".Trim('/');
                var methods = function.HttpTrigger.Methods.Select(method => method.ToUpperInvariant()).ToList();
                _ = methods.Count > 0
                    ? routes.MapMethods(pattern, methods, context => RunRawAsync(invoker, context))
                    : routes.Map(pattern, context => RunRawAsync(invoker, context));

                // A host whose raw modes are off sends envelopes for these functions too, unless the route itself is in the way.
                if (pattern.Equals(function.Name, StringComparison.OrdinalIgnoreCase) && (methods.Count == 0 || methods.Contains(HttpMethods.Post)))
                {
                    continue;
                }
            }

            routes.MapPost(function.Name, context => RunEnvelopeAsync(invoker, context));
        }
    }

    private static FunctionContext ContextOf(FunctionDescriptor function, HttpContext context, Envelope? envelope, HttpContext? http) => new()
    {
        FunctionDefinition = function.Definition,
        InvocationId = context.Request.Headers[InvocationIdHeader].ToString() is { Length: > 0 } id ? id : context.TraceIdentifier,
        CancellationToken = context.RequestAborted,
        InstanceServices = context.RequestServices,
        Metadata = envelope?.Metadata ?? ReadOnlyDictionary<string, JsonElement>.Empty,
        BindingContext = envelope is null ? BindingContext.Nothing : new BindingContext(envelope.Metadata.ToDictionary(entry => entry.Key, entry => (object?)EnvelopeValue.Text(entry.Value), StringComparer.OrdinalIgnoreCase)),
        RetryContext = envelope?.Metadata.TryGetValue("RetryContext", out var retry) == true ? EnvelopeValue.Unwrap(retry).Deserialize<RetryContext>() : null,
        Http = http,
    };

    private async Task RunRawAsync(FunctionInvoker invoker, HttpContext context) =>
        await RunHttpAsync(invoker, ContextOf(invoker.Function, context, null, context), context);

    private async Task RunEnvelopeAsync(FunctionInvoker invoker, HttpContext context)
    {
        var function = invoker.Function;
        var answer = new JsonObject();
        try
        {
            var envelope = await Envelope.ReadAsync(context.Request.Body, context.RequestAborted);
            var trigger = envelope.Trigger(function.TriggerParameter.Name!);
            if (function.HttpTrigger is null)
            {
                var returned = await invoker.InvokeAsync(new Invocation(ContextOf(function, context, envelope, null), null, trigger));
                AddOutputs(function, returned, answer, null);
            }
            else
            {
                var inner = EnvelopeHttpContext.Create(trigger, context);
                var returned = await RunHttpAsync(invoker, ContextOf(function, context, envelope, inner), inner);
                AddOutputs(function, returned, answer, EnvelopeHttpContext.ToOutput(inner));
            }
        }
        catch (Exception exception) when (!context.RequestAborted.IsCancellationRequested)
        {
            // Any status but 2xx tells the host that the invocation failed; a queue message comes back.
            Report(function, context, exception);
            context.Response.StatusCode = StatusCodes.Status500InternalServerError;
            answer = new JsonObject { ["Logs"] = new JsonArray($"{exception.GetType().Name}: {exception.Message}") };
        }

        context.Response.ContentType = "application/json";
        await context.Response.WriteAsync(answer.ToJsonString(), context.RequestAborted);
    }

    /// <summary>Runs an HTTP function and writes its response; what it returned comes back only if it succeeded, so that a failure sends nothing to other outputs.</summary>
    private async Task<object?> RunHttpAsync(FunctionInvoker invoker, FunctionContext functionContext, HttpContext context)
    {
        var function = invoker.Function;
        try
        {
            var returned = await invoker.InvokeAsync(new Invocation(functionContext, context.Request, null));
            var http = function.Outputs.FirstOrDefault(output => output.IsHttp);
            await HttpResponseWriter.WriteAsync(context, http is null ? null : http.Read(returned), json);
            return returned;
        }
        catch (OperationCanceledException) when (context.RequestAborted.IsCancellationRequested)
        {
            return null;
        }
        catch (Exception exception) when (!context.Response.HasStarted)
        {
            await AnswerOf(exception, function, functionContext.InvocationId).ExecuteAsync(context);
            return null;
        }
        catch (Exception exception)
        {
            // Half a response is out: only cutting the connection tells the client that the rest is missing.
            logger.FunctionFailed(function.Name, functionContext.InvocationId, exception);
            context.Abort();
            return null;
        }
    }

    private ProblemResult AnswerOf(Exception exception, FunctionDescriptor function, string invocationId)
    {
        if (exception is ProblemException known)
        {
            return new ProblemResult(known.Problem, known.RetryAfter, known.Timing);
        }

        foreach (var mapper in problems)
        {
            if (mapper.Map(exception) is { } problem)
            {
                return new ProblemResult(problem, problem.Status is 503 ? TimeSpan.FromSeconds(1) : null);
            }
        }

        logger.FunctionFailed(function.Name, invocationId, exception);
        return new ProblemResult(Problem.Of(500, ErrorCodes.Internal, $"Function '{function.Name}' failed. The log of the functions process has the details under invocation {invocationId}."));
    }

    private void Report(FunctionDescriptor function, HttpContext context, Exception exception)
    {
        var invocationId = context.Request.Headers[InvocationIdHeader].ToString();
        if (exception is JsonException)
        {
            logger.InvocationUnreadable(function.Name, invocationId, exception.Message);
        }
        else
        {
            logger.FunctionFailed(function.Name, invocationId, exception);
        }
    }

    private void AddOutputs(FunctionDescriptor function, object? returned, JsonObject answer, JsonObject? http)
    {
        var outputs = new JsonObject();
        foreach (var output in function.Outputs)
        {
            var value = output.IsHttp ? http : output.Read(returned) is { } read ? JsonSerializer.SerializeToNode(read, read.GetType(), json) : null;
            if (output.Name == OutputDescriptor.ReturnValue)
            {
                answer["ReturnValue"] = value;
            }
            else if (value is not null)
            {
                outputs[output.Name] = value;
            }
        }

        answer["Outputs"] = outputs;
    }
}
