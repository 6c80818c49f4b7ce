{{/* The port of host:port; without one that of https, or of http where it is not `secure`. (dict "address" "…" "secure" bool) */}}
{{- define "footage-desk.port" -}}
{{- regexFind ":[0-9]+$" .address | trimPrefix ":" | default (ternary "443" "80" .secure) }}
{{- end }}

{{/* The port of a URL. */}}
{{- define "footage-desk.urlPort" -}}
{{- $url := urlParse . }}
{{- $parts := splitList ":" $url.host }}
{{- if eq (len $parts) 2 }}{{ index $parts 1 }}{{ else }}{{ ternary "80" "443" (eq $url.scheme "http") }}{{ end }}
{{- end }}

{{/* One egress rule, to the peers of networkPolicy.NAMETo on the ports of NAMEPorts: (dict "root" $ "name" "database" "port" "5432") */}}
{{- define "footage-desk.to" -}}
{{- $n := .root.Values.networkPolicy -}}
- ports:
    {{- range default (list .port) (index $n (printf "%sPorts" .name)) }}
    - {protocol: TCP, port: {{ int . }}}
    {{- end }}
  {{- with index $n (printf "%sTo" .name) }}
  to:
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end }}

{{/* The address that traces of a part are sent to, where a value says it and no Secret: (dict "root" $ "values" of the part) */}}
{{- define "footage-desk.tracingEndpoint" -}}
{{- $endpoint := "" }}
{{- range $given := list .root.Values.config .root.Values.extraEnv (default dict (default dict .values).extraEnv) }}
  {{- with index $given "FOOTAGE_DESK_TRACING__ENDPOINT" }}{{- $endpoint = ternary "" . (kindIs "map" .) }}{{- end }}
{{- end }}
{{- $endpoint }}
{{- end }}

{{/* The egress rules of a part, by what it is given. */}}
{{- define "footage-desk.egress" -}}
{{- $v := .root.Values }}{{- $n := $v.networkPolicy }}
- ports:
    {{- range default (list 53) $n.dnsPorts }}
    - {protocol: UDP, port: {{ int . }}}
    - {protocol: TCP, port: {{ int . }}}
    {{- end }}
  {{- with $n.dnsTo }}
  to:
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- if .database }}
{{ include "footage-desk.to" (dict "root" $.root "name" "database" "port" $v.database.port) }}
{{- end }}
{{- if .camunda }}
{{ include "footage-desk.to" (dict "root" $.root "name" "gateway" "port" (include "footage-desk.port" (dict "address" (splitList "," $v.camunda.grpcAddress | first) "secure" true))) }}
{{- if eq $v.camunda.auth.method "oidc" }}
{{ include "footage-desk.to" (dict "root" $.root "name" "token" "port" (include "footage-desk.urlPort" $v.camunda.auth.oidc.tokenUrl)) }}
{{- end }}
{{- end }}
{{- if has "store" .access }}
{{ include "footage-desk.to" (dict "root" $.root "name" "store" "port" (include "footage-desk.port" (dict "address" $v.store.endpoint "secure" $v.store.secure))) }}
{{- end }}
{{- if has "replica" .access }}
{{ include "footage-desk.to" (dict "root" $.root "name" "replica" "port" (include "footage-desk.port" (dict "address" $v.replica.endpoint "secure" $v.replica.secure))) }}
{{- end }}
{{- if and (has "recorders" .access) $v.recorders.networks }}
- to:
    {{- range $v.recorders.networks }}
    - ipBlock: {cidr: {{ . }}}
    {{- end }}
  {{- with $v.recorders.ports }}
  ports:
    {{- range . }}
    - {protocol: TCP, port: {{ int . }}}
    {{- end }}
  {{- end }}
{{- end }}
{{- if and $v.seal.timeStamp.url (or (has "sealKey" .access) (has "logKey" .access)) }}
{{ include "footage-desk.to" (dict "root" $.root "name" "timeStamp" "port" (include "footage-desk.urlPort" $v.seal.timeStamp.url)) }}
{{- end }}
{{- if and (has "mail" .access) $v.portal.mail.host }}
{{ include "footage-desk.to" (dict "root" $.root "name" "mail" "port" $v.portal.mail.port) }}
{{- end }}
{{- if and (has "mail" .access) $v.portal.webhook.url }}
{{ include "footage-desk.to" (dict "root" $.root "name" "webhook" "port" (include "footage-desk.urlPort" $v.portal.webhook.url)) }}
{{- end }}
{{- if and (has "provider" .access) $v.portal.oidc.issuer }}
{{ include "footage-desk.to" (dict "root" $.root "name" "provider" "port" (include "footage-desk.urlPort" $v.portal.oidc.issuer)) }}
{{- end }}
{{- if and (has "directory" .access) $v.directory.host }}
{{ include "footage-desk.to" (dict "root" $.root "name" "directory" "port" $v.directory.port) }}
{{- end }}
{{- with include "footage-desk.tracingEndpoint" . }}
{{ include "footage-desk.to" (dict "root" $.root "name" "tracing" "port" (include "footage-desk.urlPort" .)) }}
{{- end }}
{{- with .more }}
{{ toYaml . }}
{{- end }}
{{- with $n.extraEgress }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "footage-desk.policyHead" -}}
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: {{ include "footage-desk.fullname" .root }}-{{ .component }}
  labels:
    {{- include "footage-desk.labels" .root | nindent 4 }}
    app.kubernetes.io/component: {{ .component }}
  {{- with include "footage-desk.annotations" (dict "root" .root) | trim }}{{ . | nindent 2 }}{{ end }}
spec:
  podSelector:
    matchLabels:
      {{- include "footage-desk.selectorLabels" .root | nindent 6 }}
      app.kubernetes.io/component: {{ .component }}
  policyTypes: [Ingress, Egress]
{{- end }}

{{- define "footage-desk.from" -}}
- ports:
    - {protocol: TCP, port: {{ .port }}}
  {{- with .from }}
  from:
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end }}
