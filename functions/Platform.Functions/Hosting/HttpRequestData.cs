using System.Collections.Specialized;
using System.Net;
using System.Net.Http.Headers;
using System.Security.Claims;
using System.Text;
using System.Text.Json;
using Microsoft.AspNetCore.Http.Extensions;

namespace Platform.Functions.Hosting;

/// <summary>An HTTP request as functions see it that do not use ASP.NET's own types.</summary>
public sealed class HttpRequestData
{
    private readonly HttpRequest _request;

    internal HttpRequestData(HttpRequest request, FunctionContext context)
    {
        _request = request;
        FunctionContext = context;
        Headers = [];
        foreach (var (name, values) in request.Headers)
        {
            Headers.TryAddWithoutValidation(name, (IEnumerable<string?>)values);
        }

        Query = [];
        foreach (var (name, values) in request.Query)
        {
            foreach (var value in values)
            {
                Query.Add(name, value);
            }
        }
    }

    /// <summary>The invocation.</summary>
    public FunctionContext FunctionContext { get; }

    /// <summary>The verb, upper case.</summary>
    public string Method => _request.Method;

    /// <summary>The whole address.</summary>
    public Uri Url => new(_request.GetEncodedUrl());

    /// <summary>The body; can be read once.</summary>
    public Stream Body => _request.Body;

    /// <summary>Header fields.</summary>
    public HttpHeadersCollection Headers { get; }

    /// <summary>Query parameters; those given several times are joined by commas when read by name.</summary>
    public NameValueCollection Query { get; }

    /// <summary>Who the caller is, where the host says so.</summary>
    public IEnumerable<ClaimsIdentity> Identities => _request.HttpContext.User.Identities;

    /// <summary>An answer with status 200.</summary>
    public HttpResponseData CreateResponse() => CreateResponse(HttpStatusCode.OK);

    /// <summary>An answer.</summary>
    public HttpResponseData CreateResponse(HttpStatusCode statusCode) => new(FunctionContext) { StatusCode = statusCode };

    /// <summary>The whole body as text; UTF-8 unless <paramref name="encoding"/> says otherwise.</summary>
    public async Task<string?> ReadAsStringAsync(Encoding? encoding = null)
    {
        using var reader = new StreamReader(Body, encoding ?? Encoding.UTF8, leaveOpen: true);
        return await reader.ReadToEndAsync(FunctionContext.CancellationToken);
    }

    /// <summary>The body's JSON.</summary>
    /// <exception cref="JsonException">The body is not the JSON of a <typeparamref name="T"/>.</exception>
    public ValueTask<T?> ReadFromJsonAsync<T>(CancellationToken cancellationToken = default) =>
        JsonSerializer.DeserializeAsync<T>(Body, FunctionContext.InstanceServices.GetRequiredService<JsonSerializerOptions>(), cancellationToken);
}

/// <summary>Header fields of a request or a response.</summary>
public sealed class HttpHeadersCollection : HttpHeaders;
