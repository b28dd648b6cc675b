using System.Text;
using System.Text.Json;
using Microsoft.AspNetCore.Http.Extensions;
using Platform.DataPlane;
using Platform.Jobs;
using Platform.Local.FunctionsHost.App;
using Platform.Local.FunctionsHost.Invocations;

namespace Platform.Local.FunctionsHost.Http;

/// <summary>Runs HTTP functions that have further bindings: the request travels inside an envelope.</summary>
internal sealed class EnvelopeHttpRunner(FunctionInvoker invoker, TimeProvider time, ILogger logger)
{
    public async Task RunAsync(HttpContext context, FunctionDefinition function, RouteValueDictionary values)
    {
        var request = context.Request;
        if (request.ContentLength is null && request.Headers.TransferEncoding.Count > 0)
        {
            logger.ChunkedEnvelopeBodyDropped(function.Name);
        }

        var body = await ReadBodyAsync(request, context.RequestAborted);
        EnvelopeResponse answer;
        HttpOutput? output = null;
        try
        {
            answer = await invoker.InvokeAsync(function, () => EnvelopeOf(request, function, values, body), context.RequestAborted);
            output = function.HttpOutput is { } binding ? HttpOutput.From(answer, binding.Name) : null;
        }
        catch (InvocationException exception) when (exception.InnerException is StorageException { Error: StorageError.Full })
        {
            await context.WriteProblemAsync(StatusCodes.Status507InsufficientStorage, ErrorCodes.StorageFull, exception.Message);
            return;
        }
        catch (InvocationException)
        {
            // Logged where it failed. Hosts answer a failed invocation with an empty 500.
            context.Response.StatusCode = StatusCodes.Status500InternalServerError;
            return;
        }

        if (output is null)
        {
            context.Response.StatusCode = StatusCodes.Status204NoContent;
            return;
        }

        await output.WriteAsync(context.Response, context.RequestAborted);
    }

    private static async Task<byte[]?> ReadBodyAsync(HttpRequest request, CancellationToken cancellationToken)
    {
        if (request.ContentLength is not > 0)
        {
            return null;
        }

        using var buffer = new MemoryStream();
        await request.Body.CopyToAsync(buffer, cancellationToken);
        return buffer.ToArray();
    }

    private EnvelopeRequest EnvelopeOf(HttpRequest request, FunctionDefinition function, RouteValueDictionary values, byte[]? body)
    {
        var text = body is null ? null : IsBinary(request.ContentType) ? Convert.ToBase64String(body) : Encoding.UTF8.GetString(body);
        var envelope = new EnvelopeRequest(function.Name, time.GetUtcNow())
            .DataObject(function.Trigger.Name, writer => WriteRequest(writer, request, values, text))
            .MetadataObject("Query", writer => WriteQuery(writer, request))
            .MetadataObject("Headers", writer => WriteHeaders(writer, request, asArrays: false));
        if (text is not null && !IsBinary(request.ContentType))
        {
            envelope.MetadataOfPayload(text);
        }

        foreach (var (name, query) in request.Query.Where(query => !query.Key.Equals("code", StringComparison.OrdinalIgnoreCase)))
        {
            envelope.Metadata(name, query.ToString());
        }

        foreach (var (name, value) in values)
        {
            envelope.Metadata(name, value?.ToString());
        }

        return envelope;
    }

    private static void WriteRequest(Utf8JsonWriter writer, HttpRequest request, RouteValueDictionary values, string? body)
    {
        writer.WriteStartObject();
        writer.WriteString("Url", request.GetEncodedUrl());
        writer.WriteString("Method", request.Method);
        writer.WritePropertyName("Query");
        WriteQuery(writer, request);
        writer.WritePropertyName("Headers");
        WriteHeaders(writer, request, asArrays: true);
        writer.WriteStartObject("Params");
        foreach (var (name, value) in values)
        {
            writer.WriteString(name, value?.ToString());
        }

        writer.WriteEndObject();
        writer.WriteStartArray("Identities");
        writer.WriteEndArray();
        if (body is not null)
        {
            writer.WriteString("Body", body);
        }

        writer.WriteEndObject();
    }

    private static void WriteQuery(Utf8JsonWriter writer, HttpRequest request)
    {
        writer.WriteStartObject();
        foreach (var (name, values) in request.Query)
        {
            writer.WriteString(name, values.ToString());
        }

        writer.WriteEndObject();
    }

    private static void WriteHeaders(Utf8JsonWriter writer, HttpRequest request, bool asArrays)
    {
        writer.WriteStartObject();
        foreach (var (name, values) in request.Headers)
        {
            if (asArrays)
            {
                writer.WriteStartArray(name);
                foreach (var value in values)
                {
                    writer.WriteStringValue(value);
                }

                writer.WriteEndArray();
            }
            else
            {
                writer.WriteString(name, values.ToString());
            }
        }

        writer.WriteEndObject();
    }

    private static bool IsBinary(string? contentType) => contentType is not null
        && (contentType.StartsWith("application/octet-stream", StringComparison.OrdinalIgnoreCase) || contentType.StartsWith("multipart/", StringComparison.OrdinalIgnoreCase));
}
