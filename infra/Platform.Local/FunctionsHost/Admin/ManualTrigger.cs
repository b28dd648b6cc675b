using System.Text.Json;
using Platform.Jobs;
using Platform.Local.FunctionsHost.App;
using Platform.Local.FunctionsHost.Http;
using Platform.Local.FunctionsHost.Invocations;

namespace Platform.Local.FunctionsHost.Admin;

/// <summary><c>POST /admin/functions/{name}</c> with <c>{"input":"text"}</c>: 202 at once, and the function runs with that text as its trigger's value.</summary>
internal sealed class ManualTrigger(FunctionInvoker invoker, TimeProvider time, CancellationToken stopping)
{
    public async Task HandleAsync(HttpContext context, FunctionDefinition function)
    {
        if (!function.Runs)
        {
            await context.WriteProblemAsync(404, ErrorCodes.RouteNotFound, $"Function '{function.Name}' is off: {function.Error ?? "it is disabled."}");
            return;
        }

        string input;
        try
        {
            var body = await AdminBody.ReadAsync(context);
            input = body.ValueKind == JsonValueKind.Object ? body.Text("input") ?? "" : throw new JsonException("found no object.");
        }
        catch (JsonException exception)
        {
            await context.WriteProblemAsync(400, ErrorCodes.InvalidJson, $"The body is not the expected JSON: {exception.Message} Expected {{\"input\":\"text\"}}.");
            return;
        }

        context.Response.StatusCode = StatusCodes.Status202Accepted;
        _ = RunAsync(function, input);
    }

    private async Task RunAsync(FunctionDefinition function, string input)
    {
        try
        {
            await invoker.InvokeAsync(function, () => EnvelopeOf(function, input), stopping);
        }
        catch (Exception exception) when (exception is InvocationException or OperationCanceledException)
        {
            // Logged where it failed; the caller has its 202.
        }
    }

    private EnvelopeRequest EnvelopeOf(FunctionDefinition function, string input)
    {
        var envelope = new EnvelopeRequest(function.Name, time.GetUtcNow());
        return function.Trigger.Type switch
        {
            BindingTypes.TimerTrigger => envelope.DataObject(function.Trigger.Name, static writer => writer.WriteRawValue("""{"Schedule":{"AdjustForDST":true},"ScheduleStatus":null,"IsPastDue":false}""")),
            BindingTypes.HttpTrigger => envelope.DataObject(function.Trigger.Name, writer => WriteRequest(writer, function, input)),
            _ => envelope.Data(function.Trigger.Name, input).Metadata("DequeueCount", 1).Metadata("Id", Guid.NewGuid().ToString()).MetadataOfPayload(input),
        };
    }

    private static void WriteRequest(Utf8JsonWriter writer, FunctionDefinition function, string input)
    {
        writer.WriteStartObject();
        writer.WriteString("Url", "http://localhost/" + function.Name);
        writer.WriteString("Method", "POST");
        foreach (var name in new[] { "Query", "Headers", "Params" })
        {
            writer.WriteStartObject(name);
            writer.WriteEndObject();
        }

        writer.WriteStartArray("Identities");
        writer.WriteEndArray();
        writer.WriteString("Body", input);
        writer.WriteEndObject();
    }
}
