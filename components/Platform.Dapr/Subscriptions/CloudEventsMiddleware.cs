using System.Text.Json;
using Microsoft.AspNetCore.Http;

namespace Platform.Dapr.Subscriptions;

/// <summary>Takes the envelope off deliveries, so that any endpoint can bind the data as its body. Everything else passes untouched.</summary>
internal sealed class CloudEventsMiddleware(RequestDelegate next)
{
    private const string ContentType = "application/cloudevents+json";

    /// <summary>An endpoint that reads envelopes itself says so with this.</summary>
    public sealed record ReadsEnvelope
    {
        public static ReadsEnvelope Instance { get; } = new();
    }

    public async Task InvokeAsync(HttpContext context)
    {
        if (!IsStructuredEvent(context.Request.ContentType) || context.GetEndpoint()?.Metadata.GetMetadata<ReadsEnvelope>() is not null)
        {
            await next(context);
            return;
        }

        (byte[] Bytes, string ContentType)? data;
        try
        {
            using var envelope = await JsonDocument.ParseAsync(context.Request.Body, cancellationToken: context.RequestAborted);
            data = envelope.RootElement.ValueKind == JsonValueKind.Object ? CloudEventReader.RawDataOf(envelope.RootElement) : throw new JsonException("the body is no object");
            AddHeaders(context, envelope.RootElement);
        }
        catch (JsonException)
        {
            context.Response.StatusCode = StatusCodes.Status400BadRequest;
            return;
        }

        var (body, type) = (context.Request.Body, context.Request.ContentType);
        context.Request.Body = new MemoryStream(data?.Bytes ?? []);
        context.Request.ContentType = data?.ContentType;
        context.Request.ContentLength = data?.Bytes.Length ?? 0;
        try
        {
            await next(context);
        }
        finally
        {
            (context.Request.Body, context.Request.ContentType) = (body, type);
        }
    }

    private static bool IsStructuredEvent(string? contentType) => contentType?.Split(';')[0].Trim().Equals(ContentType, StringComparison.OrdinalIgnoreCase) == true;

    /// <summary>What the envelope says besides the data is kept as <c>Cloudevent.{name}</c> headers, as the SDK names them.</summary>
    private static void AddHeaders(HttpContext context, JsonElement envelope)
    {
        foreach (var property in envelope.EnumerateObject())
        {
            if (property is { Name: not ("data" or "data_base64"), Value.ValueKind: JsonValueKind.String })
            {
                var value = property.Value.GetString()!;
                if (!value.AsSpan().ContainsAnyInRange('\0', '\u001f'))
                {
                    context.Request.Headers["Cloudevent." + property.Name] = value;
                }
            }
        }
    }
}
