using System.Net;
using System.Text;
using System.Text.Json;

namespace Platform.Functions.Hosting;

/// <summary>An HTTP answer of functions that do not use ASP.NET's own types; made by <see cref="HttpRequestData.CreateResponse()"/>, sent when the function returns it.</summary>
public sealed class HttpResponseData
{
    internal HttpResponseData(FunctionContext context) => FunctionContext = context;

    /// <summary>The invocation.</summary>
    public FunctionContext FunctionContext { get; }

    /// <summary>The status.</summary>
    public HttpStatusCode StatusCode { get; set; }

    /// <summary>Header fields.</summary>
    public HttpHeadersCollection Headers { get; set; } = [];

    /// <summary>The body so far.</summary>
    public Stream Body { get; set; } = new MemoryStream();

    /// <summary>Appends text; UTF-8 unless <paramref name="encoding"/> says otherwise.</summary>
    public void WriteString(string value, Encoding? encoding = null) => Body.Write((encoding ?? Encoding.UTF8).GetBytes(value));

    /// <inheritdoc cref="WriteString"/>
    public async Task WriteStringAsync(string value, Encoding? encoding = null) => await Body.WriteAsync((encoding ?? Encoding.UTF8).GetBytes(value), FunctionContext.CancellationToken);

    /// <summary>Appends bytes.</summary>
    public async Task WriteBytesAsync(byte[] value) => await Body.WriteAsync(value, FunctionContext.CancellationToken);

    /// <summary>Appends a value as JSON and names the content type.</summary>
    public ValueTask WriteAsJsonAsync<T>(T instance, CancellationToken cancellationToken = default) => WriteAsJsonAsync(instance, StatusCode, cancellationToken);

    /// <summary>Appends a value as JSON, names the content type and sets the status.</summary>
    public async ValueTask WriteAsJsonAsync<T>(T instance, HttpStatusCode statusCode, CancellationToken cancellationToken = default)
    {
        StatusCode = statusCode;
        Headers.Remove("Content-Type");
        Headers.TryAddWithoutValidation("Content-Type", "application/json; charset=utf-8");
        await JsonSerializer.SerializeAsync(Body, instance, FunctionContext.InstanceServices.GetRequiredService<JsonSerializerOptions>(), cancellationToken);
    }

    internal async Task WriteToAsync(HttpContext context)
    {
        context.Response.StatusCode = (int)StatusCode;
        foreach (var (name, values) in Headers.NonValidated)
        {
            context.Response.Headers[name] = values.ToArray();
        }

        Body.Position = 0;
        await Body.CopyToAsync(context.Response.Body, context.RequestAborted);
    }
}
