{{- define "footage-desk.port" -}}
{{- regexFind ":[0-9]+$" . | trimPrefix ":" | default "443" }}
{{- end }}

{{/* The port of a URL. */}}
{{- define "footage-desk.urlPort" -}}
{{- $url := urlParse . }}
{{- $parts := splitList ":" $url.host }}
{{- if eq (len $parts) 2 }}{{ index $parts 1 }}{{ else }}{{ ternary "80" "443" (eq $url.scheme "http") }}{{ end }}
{{- end }}

{{/* One egress rule: (dict "to" list "port" "5432") */}}
{{- define "footage-desk.to" -}}
- ports:
    - {protocol: TCP, port: {{ int .port }}}
  {{- with .to }}
  to:
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end }}

{{/* The egress rules of a part, by what it is given. */}}
{{- define "footage-desk.egress" -}}
{{- $v := .root.Values }}{{- $n := $v.networkPolicy }}
- ports:
    - {protocol: UDP, port: 53}
    - {protocol: TCP, port: 53}
  {{- with $n.dnsTo }}
  to:
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- if .database }}
{{ include "footage-desk.to" (dict "to" $n.databaseTo "port" $v.database.port) }}
{{- end }}
{{- if .camunda }}
{{ include "footage-desk.to" (dict "to" $n.gatewayTo "port" (include "footage-desk.port" (splitList "," $v.camunda.grpcAddress | first))) }}
{{- if eq $v.camunda.auth.method "oidc" }}
{{ include "footage-desk.to" (dict "to" $n.tokenTo "port" (include "footage-desk.urlPort" $v.camunda.auth.oidc.tokenUrl)) }}
{{- end }}
{{- end }}
{{- if has "store" .access }}
{{ include "footage-desk.to" (dict "to" $n.storeTo "port" (include "footage-desk.port" $v.store.endpoint)) }}
{{- end }}
{{- if has "replica" .access }}
{{ include "footage-desk.to" (dict "to" $n.replicaTo "port" (include "footage-desk.port" $v.replica.endpoint)) }}
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
{{ include "footage-desk.to" (dict "to" $n.timeStampTo "port" (include "footage-desk.urlPort" $v.seal.timeStamp.url)) }}
{{- end }}
{{- if and (has "mail" .access) $v.portal.mail.host }}
{{ include "footage-desk.to" (dict "to" $n.mailTo "port" $v.portal.mail.port) }}
{{- end }}
{{- if and (has "mail" .access) $v.portal.webhook.url }}
{{ include "footage-desk.to" (dict "to" $n.webhookTo "port" (include "footage-desk.urlPort" $v.portal.webhook.url)) }}
{{- end }}
{{- if and (has "provider" .access) $v.portal.oidc.issuer }}
{{ include "footage-desk.to" (dict "to" $n.providerTo "port" (include "footage-desk.urlPort" $v.portal.oidc.issuer)) }}
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
