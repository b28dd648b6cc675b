using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.Primitives;

namespace Platform.Functions.Hosting;

/// <summary>An HTTP request that arrived inside an envelope, as an ordinary <see cref="HttpContext"/>; its response is written back as the envelope's <c>http</c> output.</summary>
internal static class EnvelopeHttpContext
{
    /// <summary>Makes the context from <c>Data.{trigger}</c>.</summary>
    public static DefaultHttpContext Create(JsonElement trigger, HttpContext invocation)
    {
        var request = EnvelopeValue.Unwrap(trigger);
        if (request.ValueKind != JsonValueKind.Object)
        {
            throw new JsonException("The value of an HTTP trigger is a JSON object with the members Url, Method, Headers, Params and Body.");
        }

        var context = new DefaultHttpContext { RequestServices = invocation.RequestServices, RequestAborted = invocation.RequestAborted };
        context.Features.Set<IHttpResponseBodyFeature>(new StreamResponseBodyFeature(new MemoryStream()));
        context.Request.Method = Text(request, "Method") ?? HttpMethods.Post;
        if (Uri.TryCreate(Text(request, "Url"), UriKind.Absolute, out var url))
        {
            context.Request.Scheme = url.Scheme;
            context.Request.Host = HostString.FromUriComponent(url);
            context.Request.Path = PathString.FromUriComponent(url);
            context.Request.QueryString = QueryString.FromUriComponent(url);
        }

        foreach (var header in Members(request, "Headers"))
        {
            context.Request.Headers[header.Name] = header.Value.ValueKind == JsonValueKind.Array
                ? new StringValues([.. header.Value.EnumerateArray().Select(value => value.GetString())])
                : EnvelopeValue.Text(header.Value);
        }

        foreach (var parameter in Members(request, "Params"))
        {
            context.Request.RouteValues[parameter.Name] = parameter.Value.ValueKind == JsonValueKind.Null ? null : parameter.Value.ToString();
        }

        var body = Body(request, context.Request.ContentType);
        context.Request.Body = new MemoryStream(body, writable: false);
        context.Request.ContentLength = body.Length;
        return context;
    }

    /// <summary>The response as an <c>http</c> output: status, headers and the body as text.</summary>
    public static JsonObject ToOutput(HttpContext context)
    {
        var headers = new JsonObject();
        foreach (var (name, values) in context.Response.Headers)
        {
            if (!name.Equals("Content-Length", StringComparison.OrdinalIgnoreCase))
            {
                headers[name] = values.ToString();
            }
        }

        var body = ((MemoryStream)context.Response.Body).ToArray();
        return new JsonObject { ["statusCode"] = context.Response.StatusCode, ["headers"] = headers, ["body"] = Encoding.UTF8.GetString(body) };
    }

    private static byte[] Body(JsonElement request, string? contentType)
    {
        if (Text(request, "Body") is not { Length: > 0 } text)
        {
            return [];
        }

        // Hosts send the body as text, except where it is likely to be binary.
        var binary = contentType is not null && (contentType.StartsWith("application/octet-stream", StringComparison.OrdinalIgnoreCase) || contentType.StartsWith("multipart/", StringComparison.OrdinalIgnoreCase));
        return binary ? Convert.FromBase64String(text) : Encoding.UTF8.GetBytes(text);
    }

    private static string? Text(JsonElement request, string name) =>
        request.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.String ? value.GetString() : null;

    private static JsonElement.ObjectEnumerator Members(JsonElement request, string name) =>
        request.TryGetProperty(name, out var value) && EnvelopeValue.Unwrap(value) is { ValueKind: JsonValueKind.Object } members ? members.EnumerateObject() : default;
}
